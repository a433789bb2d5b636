/** Sessions between two connections of SSH: what a client asks for, sees and types. */
import type { Conn } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import type { Channel, ChannelEvents } from "../../protocols/ssh/channels/channel.ts";
import { Connection } from "../../protocols/ssh/channels/connection.ts";
import { Sessions } from "../../protocols/ssh/session/mod.ts";
import type { Owner } from "../../protocols/ssh/session/session.ts";
import { encoded, type Reader } from "../../protocols/ssh/wire.ts";
import { ok } from "./assert.ts";
import { fakeConn, FakeGate, type Script } from "./fake_gate.ts";
import { memoryPair } from "./memory_stream.ts";
import { pause } from "./on_loop.ts";
import { Bridge } from "./ssh_transport.ts";

const NOTHING = new Uint8Array(0);
/** ms for something that is awaited, and between two looks. */
const TIME = 5000, LOOK = 5;

export type Grant = Owner["grant"];

export const ADMIN: Grant = { pty: true, role: "admin" };

/** A client's side of a session. */
export class Visitor implements ChannelEvents {
  /** Everything that came. */
  shown = "";
  errors = "";
  exit: number | undefined;
  isClosed = false;
  channel!: Channel;

  constructor(readonly world: World) {}

  get stream(): Stream {
    return this.channel.stream;
  }

  request(name: string, from: Reader): void {
    if (name === "exit-status") this.exit = from.uint32();
  }

  extended(_kind: number, bytes: Uint8Array, at: number, size: number): void {
    this.errors += new TextDecoder().decode(bytes.subarray(at, at + size));
  }

  closed(): void {
    this.isClosed = true;
  }

  /** Whether it was granted. */
  async ask(name: string, data: Uint8Array = NOTHING): Promise<boolean> {
    let answer: boolean | undefined;
    this.channel.request(name, data, (granted) => answer = granted);
    await this.world.until(() => answer !== undefined);
    return answer!;
  }

  terminal(kind: string, columns = 80, rows = 24): Promise<boolean> {
    return this.ask(
      "pty-req",
      encoded((to) => to.text(kind).uint32(columns).uint32(rows).uint32(0).uint32(0).text("")),
    );
  }

  exec(command: string): Promise<boolean> {
    return this.ask("exec", encoded((to) => to.text(command)));
  }

  async type(text: string): Promise<void> {
    await this.stream.write(new TextEncoder().encode(text));
    await this.world.cross();
  }

  /** Takes what comes, from here on. */
  async read(): Promise<void> {
    const into = new Uint8Array(65536), decoder = new TextDecoder();
    try {
      for (let size: number | null; (size = await this.stream.read(into)) !== null;) {
        this.shown += decoder.decode(into.subarray(0, size), { stream: true });
      }
    } catch { // the channel is closed
    }
  }
}

/** A gate with one client, who has logged in. */
export class World implements Disposable {
  readonly bridge = new Bridge();
  readonly gate: FakeGate;
  readonly conn: Conn;
  readonly refusals = new Set<string>();
  #client!: Connection;

  private constructor(script: Script) {
    this.gate = new FakeGate({ port: 443, ...script });
    this.conn = {
      ...fakeConn(memoryPair()[0], { protocols: ["tls", "http", "ssh"] }),
      localAddress: { host: "gate.example", port: 443 },
    };
  }

  static async make(grant: Grant, script: Script = {}): Promise<World> {
    const world = new World(script);
    ok(await world.bridge.secure());
    const sessions = new Sessions({ conn: world.conn, gate: world.gate, grant, refusals: world.refusals });
    const most = 100, roundTrip = 1;
    new Connection(world.bridge.server.transport, {
      opens: (opening) => sessions.opens(opening),
      request: (_name, _from, answer) => answer?.no(),
      broke: () => {},
    }, { most, roundTrip });
    world.#client = new Connection(world.bridge.client.transport, {
      opens: (opening) => opening.refuse(1, "not here"),
      request: (_name, _from, answer) => answer?.no(),
      broke: () => {},
    }, { most, roundTrip });
    return world;
  }

  cross(): Promise<void> {
    return this.bridge.cross();
  }

  /** A session, open; `reading`: what comes is taken. */
  async session(reading = true): Promise<Visitor> {
    const visitor = new Visitor(this);
    visitor.channel = this.#client.open("session", NOTHING, visitor);
    await this.cross();
    if (reading) void visitor.read();
    return visitor;
  }

  /** Carries bytes until it is so. */
  async until(is: () => boolean): Promise<void> {
    for (let waited = 0; !is(); waited += LOOK) {
      if (waited > TIME) throw new Error("it did not come to that");
      await this.cross();
      await pause(LOOK);
    }
  }

  [Symbol.dispose](): void {
    this.bridge.close();
  }
}
