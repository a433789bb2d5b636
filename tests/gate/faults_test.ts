/** What goes wrong on the way of a connection ends that connection, and leaves nothing behind. */
import { Buffer } from "node:buffer";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { atOnce } from "../support/at_once.ts";
import { clientHello } from "../support/client_hello.ts";
import { Deaf } from "../support/deaf.ts";
import { openSockets } from "../support/descriptors.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { type Client, connect, listen, listenEcho, pattern, socks } from "../support/net.ts";
import { processState, settled } from "../support/process_state.ts";
import { Program } from "../support/program.ts";

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** How it ended for the client: the code of the error, or "end". */
const ending = (client: Client): Promise<string> =>
  client.readAll().then(() => "end", (error) => error.code ?? "");

async function echoes(client: Client, size: number): Promise<void> {
  const sent = pattern(size, size);
  const [got] = await Promise.all([client.read(size), client.write(sent)]);
  ok(Buffer.compare(got, sent) === 0, `${size} bytes differ`);
}

Deno.test({
  name: "without descriptors accepting rests, nothing spins, what is there goes on, and it recovers",
  ignore: !need("prlimit"),
  async fn() {
    await using echo = await listenEcho();
    await using gate = await Program.start(
      `listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" } }\nadmin: { address: "off" }`,
      { before: ["prlimit", "--nofile=100:100"] },
    );
    const port = gate.port("fwd"), { pid } = gate.child;
    await using first = await connect(port);
    await echoes(first, 10);
    const others = await Promise.all(Array.from({ length: 120 }, () => connect(port)));
    try {
      await pause(300);
      const before = processState(pid).cpu;
      await pause(1000);
      const used = processState(pid).cpu - before;
      ok(used < 0.4, `it used ${used} s of CPU in one second`);
      await echoes(first, 3_000_000); // bulk, though there is no descriptor for a pipe
    } finally {
      await Promise.all(others.map((client) => client[Symbol.asyncDispose]()));
    }
    ok((await settled(pid, ({ sockets }) => sockets < 20, 20_000)).sockets < 20);
    for (let i = 0; i < 20; i++) {
      await using client = await connect(port);
      await echoes(client, 100);
    }
    ok(gate.child.stderr.includes("limit descriptors was hit"), "nobody was told");
  },
});

const FAR = `
listeners: { far: { address: "127.0.0.1:0", protocols: [xor, mux, socks] } }
hosts: { it.behind: { addresses: ["127.0.0.1"] } }
discovery: [file]
policy: [ { allow: { listener: far, addresses: ["127.0.0.0/8"] } } ]
admin: { address: "off" }`;

/** Every way in, and the bytes that lead through it to a server on `port`; `reads` is what the gate says before it. */
function entrances(port: number, gate: TestGate) {
  const socks5 = Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255);
  const target = `127.0.0.1:${port}`;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const xored = Uint8Array.of(...bytes("XOR1"), 0, socks5.length, ...socks5.map((byte) => byte ^ 0x5a));
  const opened = Uint8Array.of(
    ...bytes("MUX1"),
    0,
    1,
    2,
    0,
    3,
    ...bytes("abc"),
    0,
    1,
    0,
    0,
    socks5.length,
    ...socks5,
  );
  return {
    "a forward": { port: gate.port("fwd"), opening: bytes("hello") },
    "SOCKS5": { port: gate.port("edge"), opening: socks5 },
    "SOCKS4a": {
      port: gate.port("edge"),
      opening: Uint8Array.of(4, 1, port >> 8, port & 255, 0, 0, 0, 1, 0, ...bytes("127.0.0.1"), 0),
    },
    "CONNECT": {
      port: gate.port("edge"),
      opening: bytes(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`),
    },
    "TLS": { port: gate.port("edge"), opening: clientHello({ serverName: "a.test" }) },
    "a PROXY header": {
      port: gate.port("behind"),
      opening: bytes("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nhello"),
    },
    "SOCKS5 in xor": { port: gate.port("edge"), opening: xored },
    "SOCKS5 in mux": { port: gate.port("edge"), opening: opened },
  };
}

const everyWayIn = (port: number): Promise<TestGate> =>
  startGate(`
listeners:
  fwd:    { address: "127.0.0.1:0", to: "127.0.0.1:${port}" }
  edge:   { address: "127.0.0.1:0", protocols: [xor, mux, socks, connect, tls], sniffTimeout: 1s }
  behind: { address: "127.0.0.1:0", to: "127.0.0.1:${port}", proxyProtocol: ["127.0.0.0/8"] }
routes: [ { host: a.test, to: "127.0.0.1:${port}" } ]
policy: [ { allow: { listener: edge, addresses: ["127.0.0.0/8"] } } ]
admin: { address: "off" }`);

/** Steps through `size`: every byte at first, then a few places. */
const stages = (size: number): number[] =>
  Array.from({ length: size + 1 }, (_, at) => at).filter((at) => at < 60 || at % 97 === 0 || at === size);

for (const how of ["a reset", "an end"]) {
  Deno.test(`${how} after any byte of any handshake leaves nothing behind, at the gate and at the server`, async () => {
    await using echo = await listenEcho();
    await using gate = await everyWayIn(echo.port);
    const before = openSockets();
    let connections = 0;
    for (const { port, opening } of Object.values(entrances(echo.port, gate))) {
      const places = stages(opening.length);
      connections += places.length;
      await atOnce(16, places.length, async (i) => {
        await using client = await connect(port);
        if (places[i] > 0) await client.write(opening.subarray(0, places[i]));
        if (how === "a reset") return client.reset();
        client.end();
        await ending(client);
      });
    }
    for (
      let i = 0;
      i < 60 && (openSockets() > before || (await gate.service.status()).connections > 0);
      i++
    ) {
      await pause(50);
    }
    equal([(await gate.service.status()).connections, openSockets() - before], [0, 0]);
    const outer = () => gate.records.filter(({ parent }) => parent === undefined).length;
    for (let i = 0; i < 100 && outer() < connections; i++) await pause(50); // who is in the queue still comes
    equal(outer(), connections);
    const unexpected = gate.records.filter(({ outcome }) =>
      outcome === "internal" || outcome === "exhausted"
    );
    equal(unexpected, []);
  });
}

Deno.test("random bytes behind any opening end that connection and nothing else", async () => {
  await using echo = await listenEcho();
  await using gate = await everyWayIn(echo.port);
  const before = openSockets();
  const ways = Object.values(entrances(echo.port, gate));
  await atOnce(16, 400, async (i) => {
    const { port, opening } = ways[i % ways.length];
    await using client = await connect(port);
    const size = crypto.getRandomValues(new Uint16Array(1))[0] % 3000;
    const at = crypto.getRandomValues(new Uint16Array(1))[0] % (opening.length + 1);
    await client.write(
      Uint8Array.of(...opening.subarray(0, at), ...crypto.getRandomValues(new Uint8Array(size))),
    )
      .catch(() => {}); // it may be reset before it has sent everything
    client.end();
    await ending(client);
  });
  for (let i = 0; i < 60 && openSockets() > before; i++) await pause(50);
  equal(openSockets() - before, 0);
  equal(gate.records.filter(({ outcome }) => outcome === "internal"), []);
});

Deno.test("a server that does not answer is given up in time, and its client is told so", async () => {
  await using deaf = await Deaf.start();
  await using gate = await startGate(`
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
limits: { dialTimeout: 500ms }
admin: { address: "off" }`);
  await using client = await connect(gate.port("local"));
  const start = performance.now();
  equal(
    await socks(client, "127.0.0.1", deaf.target.port).then(() => "0", (error) => error.message),
    "socks reply 6",
  );
  const took = performance.now() - start;
  ok(took > 400 && took < 1500, `it took ${took} ms`);
  equal(await ending(client), "end");
  const { outcome, side } = await gate.record();
  equal([outcome, side], ["timeout", "upstream"]);
});

Deno.test("a client that leaves while its server is dialed leaves nothing behind", async () => {
  await using deaf = await Deaf.start();
  await using gate = await startGate(`
listeners: { local: { address: "127.0.0.1:0", to: "127.0.0.1:${deaf.target.port}" } }
admin: { address: "off" }`);
  const before = openSockets();
  for (let i = 0; i < 20; i++) {
    await using client = await connect(gate.port("local"));
    await pause(5);
    client.reset();
  }
  for (let i = 0; i < 40 && openSockets() > before; i++) await pause(50);
  equal(openSockets() - before, 0);
  for (let i = 0; i < 20; i++) equal((await gate.record()).outcome, "reset");
});

Deno.test("clients that drip their handshake are cut at the handshake's time, however they drip", async () => {
  await using gate = await startGate(`
listeners: { local: { address: "127.0.0.1:0", protocols: [socks, connect, tls] } }
limits: { handshakeTimeout: 600ms, sniffTimeout: 600ms }
admin: { address: "off" }`);
  const drips = [
    Uint8Array.of(5, 200),
    new TextEncoder().encode("CONNECT a:1 HTTP/1.1\r\nx: "),
    clientHello({ serverName: "a" }),
  ];
  await Promise.all(drips.map(async (opening) => {
    await using client = await connect(gate.port("local"));
    const start = performance.now();
    let over = false;
    const ended = ending(client).then(() => over = true);
    for (let at = 0; !over && performance.now() - start < 5000; at++) {
      client.socket.write(Uint8Array.of(opening[Math.min(at, opening.length - 1)]));
      await pause(20);
    }
    await ended;
    const took = performance.now() - start;
    ok(over && took > 500 && took < 2500, `it was served for ${took} ms`);
  }));
  for (let i = 0; i < drips.length; i++) ok((await gate.record()).outcome !== "ok");
});

Deno.test("a flood of silent clients keeps nobody else waiting, and passes", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  edge: { address: "127.0.0.1:0", protocols: [socks, tls], sniffTimeout: 1s }
limits: { perSource: 5000 }
admin: { address: "off" }`);
  const silent = await Promise.all(Array.from({ length: 1000 }, () => connect(gate.port("edge"))));
  const start = performance.now();
  await using client = await connect(gate.port("edge"));
  await socks(client, "127.0.0.1", echo.port);
  await echoes(client, 1000);
  ok(performance.now() - start < 800, `it waited for ${performance.now() - start} ms`);
  const endings = await Promise.all(silent.map(ending));
  ok(endings.every((how) => how === "end" || how === "ECONNRESET"));
  await Promise.all(silent.map((each) => each[Symbol.asyncDispose]()));
  const late = performance.now() + 2000; // each counts until its end was answered, at most a second
  while ((await gate.service.status()).connections > 1 && performance.now() < late) await pause(20);
  equal((await gate.service.status()).connections, 1);
});

Deno.test("readers that stop keep nothing of what waits for them in the gate's memory", async () => {
  await using flood = await listen((socket) => {
    const chunk = Buffer.alloc(1 << 16);
    const more = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", more);
    more();
  });
  await using gate = await Program.start(
    `listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${flood.port}" } }\nadmin: { address: "off" }`,
  );
  const before = processState(gate.child.pid).memory;
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect(gate.port("fwd"))));
  for (const { socket } of clients) socket.pause();
  await pause(1500);
  const grown = processState(gate.child.pid).memory - before;
  ok(grown < 40 << 20, `memory grew by ${grown >> 20} MiB`);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});

Deno.test("an upstream proxy that says nothing, or nonsense, or half, is told as what it is", async () => {
  const says: Record<string, (socket: import("node:net").Socket) => void> = {
    silence: () => {},
    nonsense: (socket) => socket.write("HTTP/1.1 200 OK\r\n\r\n"),
    half: (socket) => socket.end(Uint8Array.of(5)),
    reset: (socket) => socket.once("data", () => socket.resetAndDestroy()),
  };
  for (const [name, say] of Object.entries(says)) {
    await using proxy = await listen(say);
    await using gate = await startGate(`
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { "*": { via: "127.0.0.1:${proxy.port}", layers: [socks] } }
limits: { dialTimeout: 500ms }
admin: { address: "off" }`);
    const before = openSockets();
    {
      await using client = await connect(gate.port("local"));
      const reply = await socks(client, "it.example", 80).then(() => "0", (error) => error.message);
      ok(/socks reply [1-9]/.test(reply), `${name}: ${reply}`);
      const { outcome, side } = await gate.record();
      ok(outcome !== "ok" && outcome !== "internal" && side === "upstream", `${name}: ${outcome} ${side}`);
    }
    for (const socket of proxy.sockets) socket.destroy();
    for (let i = 0; i < 40 && openSockets() > before; i++) await pause(50);
    equal(openSockets() - before, 0, name);
  }
});

Deno.test("layers broken in the middle of everything leave nothing behind", async () => {
  await using echo = await listenEcho();
  await using far = await startGate(FAR);
  for (const stack of ["xor, socks", "mux, socks", "mux, xor, socks"]) {
    await using near = await startGate(`
listeners: { near: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { "*": { via: "127.0.0.1:${far.port("far")}", layers: [${stack}] } }
admin: { address: "off" }`);
    const before = openSockets();
    await atOnce(20, 300, async (i) => {
      await using client = await connect(near.port("near"));
      if (i % 10 === 0) return client.reset();
      // The name goes to the far gate, which knows none: a refusal through all layers.
      if (i % 10 === 1) {
        equal(
          await socks(client, "nobody.invalid", 1).then(() => "", (error) => error.message),
          "socks reply 4",
        );
        return equal(await ending(client), "end");
      }
      await socks(client, "it.behind", echo.port);
      const size = i * 700;
      await client.write(pattern(size + 1));
      if (i % 10 === 2) return client.reset();
      if (i % 10 === 3) return; // closed with everything unread
      await client.read(size + 1);
      client.end();
      equal(await ending(client), "end");
    });
    for (let i = 0; i < 80 && openSockets() > before; i++) await pause(50);
    equal([stack, openSockets() - before], [stack, 0]);
    equal((await near.service.status()).connections, 0);
  }
  equal((await far.service.status()).connections, 0);
});
