/// <reference lib="deno.worker" />
/** A thread of the engine that speaks the transport of SSH with programs of this machine, and tells what came of it. */
import { listenOn } from "../../gate/engine/bind.ts";
import { Acceptor } from "../../gate/engine/acceptor.ts";
import { dial } from "../../gate/engine/dial.ts";
import { AF_INET } from "../../gate/engine/layout.ts";
import { after, promiseResolved, run, stop } from "../../gate/engine/loop.ts";
import { liveCiphers } from "../../gate/engine/openssl_ciphers.ts";
import { SigningKey } from "../../gate/engine/openssl_keys.ts";
import { JointRelay } from "../../gate/engine/joint_relay.ts";
import { Socket } from "../../gate/engine/socket.ts";
import { tuneTcp } from "../../gate/engine/sys.ts";
import type { GateError } from "../../gate/errors.ts";
import type { Reading, Visit } from "../../gate/operations.ts";
import type { Above, Secured } from "../../protocols/ssh/above.ts";
import { Connection } from "../../protocols/ssh/channels/connection.ts";
import type { Opening } from "../../protocols/ssh/channels/opening.ts";
import { CONNECT_FAILED, UNKNOWN_TYPE } from "../../protocols/ssh/numbers.ts";
import { hostKeyOf } from "../../protocols/ssh/host_key.ts";
import { prepareHybrid } from "../../protocols/ssh/kex/exchanges.ts";
import { SIGNATURE_ALGORITHMS } from "../../protocols/ssh/keys/algorithms.ts";
import { type Settings, Transport } from "../../protocols/ssh/transport.ts";
import { Sessions } from "../../protocols/ssh/session/mod.ts";
import type { Owner } from "../../protocols/ssh/session/session.ts";
import { encoded } from "../../protocols/ssh/wire.ts";
import { fakeConn } from "./fake_gate.ts";
import { memoryPair } from "./memory_stream.ts";
import { nodeStatus } from "./operations.ts";

/** What the thread is to do; it ends when the flag is set. */
export interface SshOrder {
  readonly flag: SharedArrayBuffer;
  /** As a server: its keys, private ones as PKCS #8. */
  readonly keys?: readonly { algorithm: string; blob: Uint8Array; pkcs8: Uint8Array }[];
  /** As a client: where to, and the algorithms of host keys that are believed. */
  readonly port?: number;
  readonly algorithms?: readonly string[];
  readonly hybrid?: boolean;
  readonly keyLifeBytes?: number;
  /** As a server: lets everybody in, and connects channels to where they ask for. */
  readonly forwards?: boolean;
  /** As such a server: what may be done in sessions, and the names that are offered. */
  readonly sessions?: { readonly grant: Owner["grant"]; readonly names: readonly string[] };
}

/** What it tells, of each connection once it is over; and first the port that it listens on. */
export interface SshReport {
  readonly port?: number;
  readonly exchange?: string;
  readonly hostKey?: string;
  readonly up?: string;
  readonly down?: string;
  readonly version?: string;
  readonly service?: string;
  readonly blob?: Uint8Array;
  readonly extensions?: ReadonlyMap<string, string>;
  /** The number of the message that answered our first one above. */
  readonly answer?: number;
  readonly failure?: string;
  readonly message?: string;
  /** Ciphers that were not freed. */
  readonly left?: number;
}

/** USERAUTH_REQUEST and what it is answered with; NO_MORE_AUTH_METHODS (RFC 4252 6, RFC 4250 4.2). */
const REQUEST = 50, REFUSED = 51, WELCOME = 52, NO_MORE = 14;
const MOST_CHANNELS = 100, IDLE = 60_000;

/** Refuses every login: where a client comes to that, the transport has done its part. */
class Doorman implements Above {
  transport!: Transport;
  #facts: Secured | undefined;
  #service = "";
  #answer: number | undefined;
  blob: Uint8Array | undefined;

  constructor(
    readonly isServer: boolean,
    readonly forwards = false,
    readonly sessions?: SshOrder["sessions"],
  ) {}

  secured(facts: Secured): void {
    this.#facts = facts;
    if (!this.isServer) this.transport.requestService("ssh-userauth");
  }

  service(name: string): boolean {
    this.#service = name;
    if (!this.isServer) {
      this.transport.send(
        encoded((to) => to.byte(REQUEST).text("nobody").text("ssh-connection").text("none")),
      );
    }
    return name === "ssh-userauth";
  }

  message(number: number): boolean {
    if (this.forwards) this.#welcome();
    else if (this.isServer) {
      this.transport.send(encoded((to) => to.byte(REFUSED).nameList(["publickey"]).boolean(false)));
    } else {
      this.#answer = number;
      this.transport.disconnect(NO_MORE, "the test is over");
      this.report();
    }
    return true;
  }

  #welcome(): void {
    this.transport.send(Uint8Array.of(WELCOME));
    const sessions = this.sessions && new Sessions(ownerOf(this.sessions));
    new Connection(this.transport, {
      opens: (opening) =>
        sessions && opening.type === "session" ? sessions.opens(opening) : void forward(opening),
      request: (_name, _from, answer) => answer?.no(),
      broke: (reason) => this.broke(reason),
    }, { most: MOST_CHANNELS, roundTrip: this.#facts!.roundTrip });
  }

  flush(): void {}
  room(): void {}

  broke(reason: GateError): void {
    this.report(reason);
  }

  report(reason?: GateError): void {
    const agreed = this.#facts?.agreed;
    const report: SshReport = {
      exchange: agreed?.exchange,
      hostKey: agreed?.hostKey,
      up: agreed && `${agreed.up.cipher} ${agreed.up.mac}`.trim(),
      down: agreed && `${agreed.down.cipher} ${agreed.down.mac}`.trim(),
      version: this.#facts?.version,
      service: this.#service,
      blob: this.blob,
      extensions: this.transport.extensions,
      answer: this.#answer,
      failure: reason?.failure,
      message: reason?.message,
      left: liveCiphers.count,
    };
    postMessage(report);
  }
}

self.onmessage = async ({ data: order }: MessageEvent<SshOrder>) => {
  if (order.hybrid) await prepareHybrid();
  const flag = new Int32Array(order.flag);
  const look = () => Atomics.load(flag, 0) === 1 ? stop() : void after(20, look);
  promiseResolved();
  const loop = run();
  look();
  const listening = order.keys ? serve(order) : undefined;
  if (order.port !== undefined) await connect(order, order.port);
  await loop;
  listening?.close();
  self.close();
};

/** direct-tcpip (RFC 4254 7.2); a session is a place to wait in. */
async function forward(opening: Opening): Promise<void> {
  if (opening.type === "session") {
    return void opening.accept({ request: (_name, _from, answer) => answer?.yes() });
  }
  if (opening.type !== "direct-tcpip") return opening.refuse(UNKNOWN_TYPE, "not here");
  const host = opening.from.text(), port = opening.from.uint32();
  try {
    const socket = await dial([{ host, port }], 5000);
    tuneTcp(socket.fd);
    new JointRelay(opening.accept().stream, socket, { open: IDLE, halfOpen: IDLE }, { relayed: () => {} })
      .start();
  } catch {
    opening.refuse(CONNECT_FAILED, "nobody is there");
  }
}

/** A gate with a visitor every 100 ms. */
function ownerOf({ grant, names }: NonNullable<SshOrder["sessions"]>): Owner {
  const conn = { ...fakeConn(memoryPair()[0], { protocols: ["tls", "http", "ssh"] }) };
  const visits = (_conn: unknown, hear: (visit: Visit) => void) => {
    const cancels: (() => void)[] = [];
    const next = () => {
      cancels.push(after(100, next));
      hear({ ...VISIT, at: Date.now() });
    };
    next();
    return { [Symbol.dispose]: () => cancels.forEach((cancel) => cancel()) };
  };
  const tell = ({ verb, json, columns }: Reading) =>
    Promise.resolve({ text: `${verb} ${json} ${columns}\nover\n`, code: 0 });
  return {
    conn,
    gate: { node: () => nodeStatus({ names }), visits, tell, doorFor: (_protocol, usual) => usual },
    grant,
    refusals: new Set(),
  };
}

/** Somebody came who would move the cursor. */
const VISIT = { name: "pi.mesh.example:80", from: "203.0.113.7", what: "GET /\x1b[2J", outcome: "200" };

const keyLife = ({ keyLifeBytes: bytes }: SshOrder) =>
  bytes === undefined ? undefined : { bytes, time: 3_600_000 };

function serve(order: SshOrder) {
  const listening = listenOn({ host: "127.0.0.1", port: 0 });
  const settings: Settings = {
    hostKeys: order.keys!.map(({ algorithm, blob, pkcs8 }) =>
      hostKeyOf(algorithm, blob, new SigningKey(pkcs8))
    ),
    signatureAlgorithms: SIGNATURE_ALGORITHMS,
    exchangeTimeout: 10_000,
    keyLife: keyLife(order),
  };
  const acceptor = new Acceptor(listening.fd, {
    accepted: (fd) => {
      tuneTcp(fd);
      const doorman = new Doorman(true, order.forwards, order.sessions);
      doorman.transport = new Transport(
        "server",
        new Socket(fd, "client", AF_INET).joint(),
        settings,
        doorman,
      );
    },
    paused: () => {},
  });
  postMessage({ port: listening.address.port } satisfies SshReport);
  return {
    close: () => {
      acceptor.close();
      listening.close();
    },
  };
}

async function connect(order: SshOrder, port: number): Promise<void> {
  const socket = await dial([{ host: "127.0.0.1", port }], 5000), doorman = new Doorman(false);
  const trust = {
    algorithms: order.algorithms!,
    judge: (_algorithm: string, blob: Uint8Array) => {
      doorman.blob = blob.slice();
      return undefined;
    },
  };
  const settings: Settings = { trust, exchangeTimeout: 10_000, keyLife: keyLife(order) };
  doorman.transport = new Transport("client", socket.joint(), settings, doorman);
}
