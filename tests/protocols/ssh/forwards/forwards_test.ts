/** Forwards over two transports, with a gate that writes down what it is asked: echoes, answers, bounds, bad input. */
import fc from "fast-check";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import type { Conn, Offer } from "../../../../gate/contracts.ts";
import { GateError, telling } from "../../../../gate/errors.ts";
import type { Stream } from "../../../../gate/streams.ts";
import { Connection } from "../../../../protocols/ssh/channels/connection.ts";
import type { Opening } from "../../../../protocols/ssh/channels/opening.ts";
import { serveChannels } from "../../../../protocols/ssh/forwards/mod.ts";
import type { Grant } from "../../../../protocols/ssh/keys/login.ts";
import { encoded } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";
import { fakeConn, FakeGate, type Script } from "../../../support/fake_gate.ts";
import { memoryPair } from "../../../support/memory_stream.ts";
import { onLoop, pause } from "../../../support/on_loop.ts";
import { Bridge } from "../../../support/ssh_transport.ts";

openssl(); // stays open

const ID = "A3UCXD63FCFXMX7GH64FZM5EAHH3PGLKWRMBHPGY4AA3MGM6SXPQ";
const GRANT: Grant = {
  identity: { name: `key:${ID}`, names: [`key:${ID}`], proof: "ssh key" },
  ...{ by: "keys:1", until: Infinity, forwarding: true, pty: true, principals: [] },
  permitListen: [{ host: "*" }],
};
const MOST = 4096;

class Gate extends FakeGate {
  readonly relayed: (readonly [Conn, Stream])[] = [];
  readonly hits: string[] = [];

  override relay(conn: Conn, upstream: Stream): void {
    this.relayed.push([conn, upstream]);
  }

  override hit(limit?: string): void {
    this.hits.push(limit!);
  }
}

/** A client that has logged in, and what it is answered: of a channel its code and words, of a request its data. */
class World implements Disposable {
  readonly bridge = new Bridge();
  readonly gate: Gate;
  readonly conn = { ...fakeConn(memoryPair()[0]), stopping: false };
  readonly openings: Opening[] = [];
  /** What belongs to each of them. */
  readonly came: Uint8Array[] = [];
  readonly answers: (string | false)[] = [];
  readonly refusals = new Set<string>();
  client!: Connection;

  private constructor(script: Script) {
    this.gate = new Gate(script);
  }

  static async make(script: Script = {}, grant = GRANT): Promise<World> {
    const world = new World(script), { client, server } = world.bridge;
    ok(await world.bridge.secure());
    const { conn, gate, refusals } = world, { facts } = server.above;
    const served = { conn, gate, grant, user: "pi", secured: facts!, transport: server.transport, refusals };
    new Connection(server.transport, serveChannels(served), { most: MOST, roundTrip: 1 });
    world.client = new Connection(client.transport, {
      opens: (opening) => {
        world.openings.push(opening);
        world.came.push(opening.from.raw(opening.from.left).slice());
      },
      request: (_name, _from, answer) => answer?.no(),
      broke: () => {},
    }, { most: 20_000, roundTrip: 1 });
    return world;
  }

  /** What becomes of it: `open`, or the sentence of its refusal. */
  open(type: string, data: Uint8Array): Promise<string> {
    return new Promise((resolve) => {
      this.client.open(type, data, {
        opened: () => resolve("open"),
        refused: ({ message }) => resolve(/\((.*)\)/.exec(message)![1]),
      });
    });
  }

  ask(name: string, address: string | Uint8Array, port?: number): void {
    const octets = typeof address === "string" ? new TextEncoder().encode(address) : address;
    const data = encoded((to) => port === undefined ? to.string(octets) : to.string(octets).uint32(port));
    this.client.ask(name, data, (granted, from) => {
      this.answers.push(granted && from.raw(from.left).toHex());
    });
  }

  /** The answers that came since the last time. */
  async answered(): Promise<(string | false)[]> {
    await this.bridge.cross();
    return this.answers.splice(0);
  }

  [Symbol.dispose](): void {
    this.bridge.close();
  }
}

const tcpip = (host: string, port: number) =>
  encoded((to) => to.text(host).uint32(port).text("192.0.2.1").uint32(4711));
const path = (path: string) => encoded((to) => to.text(path).text("").uint32(0));
const TCPIP = "tcpip-forward", CANCEL = "cancel-tcpip-forward";
const NODE_PORT = "00003aae";

Deno.test("a channel is opened when its target is reached, and refused in the words of its failure", () =>
  onLoop(async () => {
    const upstream = memoryPair()[0];
    using world = await World.make({
      upstream: (target) =>
        target!.port === 80 ? upstream : new GateError(
          target!.port === 81 ? "timeout" : target!.port === 82 ? "exhausted" : "denied",
          "upstream",
          "Cannot connect: a secret of ours",
        ),
    });
    const told = [80, 81, 82, 83].map((port) => world.open("direct-tcpip", tcpip("a.example", port)));
    const socket = world.open("direct-streamlocal@openssh.com", path("/run/a.sock"));
    const others = ["x11", "session", "auth-agent@openssh.com"].map((type) =>
      world.open(type, tcpip("a", 1))
    );
    await world.bridge.cross();
    equal(await Promise.all(told), [
      ...["open", `2, "no answer in time"`, `4, "too much is open"`, `1, "not allowed"`],
    ]);
    equal(await socket, `1, "not allowed"`);
    equal(await Promise.all(others), others.map(() => `3, "no such channels here"`));
    equal(world.gate.asked.at(-1), { host: "unix:/run/a.sock", port: 0 });
    equal(world.gate.branches.map(({ record }) => record.target).slice(0, 2), [
      "a.example:80",
      "a.example:81",
    ]);
    const [[conn, to]] = world.gate.relayed;
    equal([world.gate.relayed.length, conn, to], [1, world.gate.branches[0], upstream]);
  }));

Deno.test("who may forward nothing is told so, and nothing is asked of the gate", () =>
  onLoop(async () => {
    using world = await World.make({}, { ...GRANT, forwarding: false });
    const told = world.open("direct-tcpip", tcpip("a.example", 80));
    world.ask(TCPIP, "localhost", 8080);
    world.ask(TCPIP, "", 0);
    world.ask("streamlocal-forward@openssh.com", "/run/a.sock");
    equal(await world.answered(), [false, false, false]);
    equal(await told, `1, "who logged in so may forward nothing"`);
    equal([world.gate.asked, world.gate.listening.size, world.gate.offers.size], [[], 0, 0]);
    equal(world.gate.branches.length, 1); // the journal has it
  }));

Deno.test("a gate that stops opens nothing more", () =>
  onLoop(async () => {
    using world = await World.make({ upstream: () => memoryPair()[0] });
    world.conn.stopping = true;
    const told = world.open("direct-tcpip", tcpip("a.example", 80));
    await world.bridge.cross();
    equal([await told, world.gate.asked], [`4, "the gate stops"`, []]);
  }));

Deno.test("port 0 is answered 15022, once; what is cancelled may be asked for again, under either port", () =>
  onLoop(async () => {
    using world = await World.make();
    const name = `${ID.toLowerCase()}.mesh.example.com`;
    world.ask(TCPIP, "localhost", 0);
    equal(await world.answered(), [NODE_PORT]);
    equal([...world.gate.offers].map(({ name, port }) => [name, port]), [[name, 15022]]);
    for (const [address, port] of [["localhost", 0], ["", 0], ["localhost", 15022]] as const) {
      world.ask(TCPIP, address, port);
      equal(await world.answered(), [false], `${address} ${port}`);
    }
    for (const port of [15022, 0]) {
      world.ask(CANCEL, "localhost", port);
      world.ask(CANCEL, "localhost", port);
      world.ask(TCPIP, "localhost", 0);
      equal(await world.answered(), ["", false, NODE_PORT]);
      equal(world.gate.offers.size, 1);
    }
    world.ask(CANCEL, "", 15022);
    equal(await world.answered(), [false]);
  }));

Deno.test("ports of names open no socket, and others no name", () =>
  onLoop(async () => {
    using world = await World.make();
    for (const port of [22, 80, 443, 15022]) world.ask(TCPIP, "0.0.0.0", port);
    equal(await world.answered(), ["", "", "", ""]);
    equal([...world.gate.offers].map(({ port }) => port), [22, 80, 443, 15022]);
    equal(world.gate.listening.size, 0);
    world.ask(TCPIP, "localhost", 8080);
    world.ask(TCPIP, "127.0.0.1", 8081);
    world.ask("streamlocal-forward@openssh.com", "/run/a.sock");
    equal(await world.answered(), ["", "", ""]);
    equal(Array.from(world.gate.listening, ({ address: { host, port } }) => `${host} ${port}`), [
      ...["127.0.0.1 8080", "::1 8080", "127.0.0.1 8081", "unix:/run/a.sock 0"],
    ]);
    equal(world.gate.offers.size, 4);
    world.bridge.client.transport.disconnect(11, "bye");
    await world.bridge.cross();
    equal([world.gate.listening.size, world.gate.offers.size], [0, 0]);
  }));

Deno.test("who is refused a name, or a socket, is told so; one address of two is enough", () =>
  onLoop(async () => {
    const refused = new GateError("denied", "gate", "Cannot have it");
    using world = await World.make({
      offer: ({ port }) => port === 443 ? refused : undefined,
      listen: ({ host, port }) => host === "::1" || port === 8081 ? refused : undefined,
    });
    world.ask(TCPIP, "", 443);
    world.ask(TCPIP, "", 80);
    world.ask(TCPIP, "localhost", 8080);
    world.ask(TCPIP, "localhost", 8081);
    equal(await world.answered(), [false, "", "", false]);
    equal([world.gate.offers.size, world.gate.listening.size], [1, 1]);
    world.ask(CANCEL, "", 443);
    world.ask(CANCEL, "localhost", 8081);
    equal(await world.answered(), [false, false]);
  }));

Deno.test("what is cancelled before it was granted is answered all the same, in order", () =>
  onLoop(async () => {
    using world = await World.make();
    world.ask(TCPIP, "", 443);
    world.ask(CANCEL, "", 443);
    world.ask(TCPIP, "", 443);
    equal(await world.answered(), [false, "", ""]);
    equal(world.gate.offers.size, 1);
  }));

Deno.test("a stream to a name is a channel that echoes its address and port, octet for octet", () =>
  onLoop(async () => {
    using world = await World.make();
    for (const [address, asked, port] of [["localhost", 0, 15022], ["", 443, 443], ["*", 80, 80]] as const) {
      world.ask(TCPIP, address, asked);
      await world.answered();
      const offer: Offer = [...world.gate.offers].at(-1)!, told: unknown[] = [];
      offer.open({ host: offer.name, port: 22 }, { address: "192.0.2.1", port: 4711 }, (no) => told.push(no));
      await world.bridge.cross();
      equal([world.openings.at(-1)!.type, told], ["forwarded-tcpip", []]);
      const echo = encoded((to) => to.text(address).uint32(port).text("192.0.2.1").uint32(4711));
      equal(world.came.at(-1), echo);
      world.openings.at(-1)!.accept();
      await world.bridge.cross();
      equal(told, [undefined]);
    }
  }));

Deno.test("a stream whose client refuses is told why; who gives up before that hears nothing", () =>
  onLoop(async () => {
    using world = await World.make();
    world.ask(TCPIP, "", 443);
    await world.answered();
    const [offer] = world.gate.offers, told: (string | undefined)[] = [];
    const from = { address: "192.0.2.1", port: 1 }, target = { host: offer.name, port: 443 };
    const open = () => offer.open(target, from, (refused) => told.push(refused?.failure));
    open();
    await world.bridge.cross();
    world.openings[0].refuse(2, "nobody there");
    await world.bridge.cross();
    equal(told, ["refused"]);
    const given = open();
    given.abort(new GateError("closed", "client", "Cannot wait"));
    await world.bridge.cross();
    world.openings[1].accept();
    await world.bridge.cross();
    open();
    await world.bridge.cross();
    equal(told, ["refused"]);
    world.bridge.client.transport.disconnect(11, "bye");
    await world.bridge.cross();
    equal(told, ["refused", "closed"]);
    let thrown: unknown;
    try {
      open();
    } catch (error) {
      thrown = error;
    }
    ok(thrown instanceof GateError && thrown.failure === "closed");
  }));

Deno.test("who comes in at a socket waits for the channel, and is let go where the client refuses it", () =>
  onLoop(async () => {
    using world = await World.make();
    world.ask(TCPIP, "127.0.0.1", 8080);
    await world.answered();
    const [{ taken }] = world.gate.listening, ends: unknown[] = [];
    const came = () => {
      const conn = fakeConn(memoryPair()[0]);
      conn.served = (thrown) => ends.push((thrown as GateError).failure);
      taken(conn);
      return conn;
    };
    const first = came();
    await world.bridge.cross();
    equal([world.gate.relayed.length, first.deadlines], [0, [first.limits.dialTimeout]]);
    equal(world.came[0], encoded((to) => to.text("127.0.0.1").uint32(8080).text("127.0.0.1").uint32(40000)));
    world.openings[0].accept();
    await world.bridge.cross();
    equal(world.gate.relayed.map(([conn]) => conn), [first as Conn]);
    came();
    await world.bridge.cross();
    world.openings[1].refuse(1, "no");
    await world.bridge.cross();
    equal(ends, ["denied"]);
    const third = came();
    third.onAbort!(new GateError("reset", "client", "Cannot go on: it is gone"));
    equal(ends, ["denied", "reset"]);
    await world.bridge.cross();
    world.openings[2].accept();
    await world.bridge.cross();
    equal(world.gate.relayed.length, 1);
  }));

Deno.test("a flood of channels waits 256 at a time; what is more is refused, and counted", () =>
  onLoop(async () => {
    const dials: PromiseWithResolvers<Stream>[] = [];
    using world = await World.make({
      upstream: () => {
        dials.push(Promise.withResolvers());
        return dials.at(-1)!.promise;
      },
    });
    const told = new Map<string, number>();
    for (let i = 0; i < 3000; i++) {
      void world.open("direct-tcpip", tcpip("a.example", 80)).then((what) => {
        told.set(what, (told.get(what) ?? 0) + 1);
      });
    }
    await world.bridge.cross();
    equal([dials.length, world.gate.hits.length], [256, 3000 - 256]);
    equal([...told], [[`4, "too many channels wait to be opened"`, 3000 - 256]]);
    for (const dial of dials) dial.reject(new GateError("refused", "upstream", "Cannot connect"));
    await world.bridge.cross();
    equal(told.get(`2, "connection refused"`), 256);
    const later = world.open("direct-tcpip", tcpip("a.example", 80));
    await world.bridge.cross();
    dials.at(-1)!.resolve(memoryPair()[0]);
    await world.bridge.cross();
    equal(await later, "open");
  }));

Deno.test("a client is told when a name is another connection's, and may ask for it again", () =>
  onLoop(async () => {
    using world = await World.make();
    world.ask(TCPIP, "", 0);
    equal(await world.answered(), [NODE_PORT]);
    const [offer] = world.gate.offers;
    const why = "another connection has it";
    offer.lost!(telling(why, new GateError("closed", "client", `Cannot keep it: ${why}`)));
    equal([...world.refusals], [`"${offer.name}" is not forwarded any more: ${why}`]);
    world.ask(TCPIP, "", 0);
    equal(await world.answered(), [NODE_PORT]);
  }));

Deno.test("a client is told when policy takes a path from it, and may ask for it again", () =>
  onLoop(async () => {
    using world = await World.make();
    const ask = () => world.ask("streamlocal-forward@openssh.com", "/run/a.sock");
    ask();
    equal(await world.answered(), [""]);
    const [listening] = world.gate.listening, why = "policy refuses it";
    listening[Symbol.dispose]();
    listening.lost!(telling(why, new GateError("denied", "gate", `Cannot listen: ${why}`)));
    equal([...world.refusals], [`"/run/a.sock" is not forwarded any more: ${why}`]);
    ask();
    equal(await world.answered(), [""]);
  }));

Deno.test("channels that wait for their turn when the connection breaks are opened nowhere", () =>
  onLoop(async () => {
    using world = await World.make({
      upstream: () => {
        for (const from = performance.now(); performance.now() - from < 2;); // the turn's share is spent
        return memoryPair()[0];
      },
    });
    for (let i = 0; i < 20; i++) void world.open("direct-tcpip", tcpip("a.example", 80));
    const { client, server } = world.bridge;
    server.joint.give(client.joint.drain());
    server.joint.taker!.broke(new GateError("reset", "client", "Cannot go on: it is gone"));
    equal([world.gate.asked.length, world.gate.branches.length], [1, 1]);
    await pause(50);
    equal([world.gate.asked.length, world.gate.branches.length], [1, 1]);
  }));

Deno.test("a client may have 64 forwards, and is told when there are more", () =>
  onLoop(async () => {
    using world = await World.make();
    for (let i = 0; i < 70; i += 10) {
      for (let k = i; k < i + 10; k++) world.ask(TCPIP, "127.0.0.1", 2000 + k);
      await world.bridge.cross();
    }
    const answers = await world.answered();
    equal([answers.filter((answer) => answer === "").length, answers.length], [64, 70]);
    equal(world.gate.listening.size, 64);
  }));

Deno.test("dials that are under way end with the connection", () =>
  onLoop(async () => {
    using world = await World.make({ upstream: () => new Promise<Stream>(() => {}) });
    void world.open("direct-tcpip", tcpip("a.example", 80));
    await world.bridge.cross();
    const gone = Promise.withResolvers<GateError>(), { stream } = world.gate.branches[0];
    (stream as Stream & { onGone: unknown }).onGone = gone.resolve;
    world.bridge.client.transport.disconnect(11, "bye");
    await world.bridge.cross();
    equal((await gone.promise).failure, "closed");
  }));

Deno.test("broken and random channels and requests are refused, and end nothing", () =>
  onLoop(async () => {
    using world = await World.make({ upstream: () => memoryPair()[0] });
    const types = ["direct-tcpip", "direct-streamlocal@openssh.com"];
    const names = [
      TCPIP,
      CANCEL,
      "streamlocal-forward@openssh.com",
      "cancel-streamlocal-forward@openssh.com",
    ];
    const whole = [tcpip("a.example", 80), tcpip("a".repeat(256), 80), path("/run/a"), tcpip("", 443)];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.constantFrom(...whole), fc.nat(60)).map(([all, size]) => all.slice(0, size)),
      fc.tuple(fc.constantFrom(...whole), fc.uint8Array({ minLength: 1, maxLength: 4 })).map(([all, more]) =>
        Uint8Array.of(...all, ...more)
      ),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.nat(3), async (data, i) => {
        const told = world.open(types[i % 2], data);
        world.client.ask(names[i], data, (granted) => world.answers.push(granted ? "" : false));
        const [answer] = await world.answered();
        ok(typeof await told === "string" && answer !== undefined);
        return world.bridge.server.above.broken.length === 0;
      }),
      { numRuns: 150 },
    );
    const fine = world.open("direct-tcpip", tcpip("a.example", 80));
    await world.bridge.cross();
    equal(await fine, "open");
  }));

Deno.test("the parts of a request may be as odd as they like: a host of 256 octets, octets that are no text", () =>
  onLoop(async () => {
    using world = await World.make({ upstream: () => memoryPair()[0] });
    const told = world.open("direct-tcpip", tcpip("a".repeat(256), 80));
    world.ask(TCPIP, Uint8Array.of(0xff, 0xfe), 443);
    world.ask(TCPIP, "localhost", 65_536);
    world.ask("streamlocal-forward@openssh.com", `/${"a".repeat(255)}`);
    equal(await world.answered(), [false, false, false]);
    equal(await told, `2, "expected a host and a port, or a path"`);
  }));

Deno.test("a name that its client has no right to is told to the gate with what would give it, and not offered", () =>
  onLoop(async () => {
    const token = {
      name: "jwt:https://id.example#me",
      names: ["jwt:https://id.example#me"],
      proof: "token" as const,
    };
    using world = await World.make({}, { ...GRANT, identity: token });
    world.ask(TCPIP, "", 80);
    equal(await world.answered(), [false]);
    equal(world.gate.noNames, [
      ":80: Cannot forward its names: a token gives no names: log in with a key or a certificate",
    ]);
    equal(world.gate.offers.size, 0);
  }));

Deno.test("who is refused a forward is told to the gate with the reason, some times, and then counted", () =>
  onLoop(async () => {
    using world = await World.make({}, { ...GRANT, permitListen: [] });
    for (let port = 9001; port <= 9020; port++) world.ask(TCPIP, "localhost", port);
    ok((await world.answered()).every((answer) => answer === false));
    equal(world.gate.noNames.length, 8);
    equal(
      world.gate.noNames[0],
      "localhost:9001: Cannot forward localhost: permitlisten does not have port 9001",
    );
  }));
