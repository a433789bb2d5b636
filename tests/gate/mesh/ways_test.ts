/** The ways to what connections offer: what goes through them, what cuts them, and what is told of them. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { type Client, connect, listen, listenEcho, socks } from "../../support/net.ts";
import { connectSecure } from "../../support/tls_clients.ts";
import { DEATH } from "../../support/toy_death.ts";
import { ToyNode } from "../../support/toy_node.ts";

const KEY = "key:A3UCXD63FCFXMX7GH64FZM5EAHH3PGLKWRMBHPGY4AA3MGM6SXPQ";
const authority = await Authority.make("mesh"), issued = await authority.issue(["web.m", "pi.m"]);
openssl(); // it stays open: not in a test

const gateOf = (threads = 1, more = ""): Promise<TestGate> =>
  startGate(`
engine: { threads: ${threads} }
listeners:
  nodes: { address: "127.0.0.1:0", protocols: [node, death] }
  edge: { address: "127.0.0.1:0", protocols: [tls, http, socks] }
certificates: [{ cert: ${issued.chainFile}, key: ${issued.keyFile} }]
discovery: [file, mesh]
${more}`);

async function offering(gate: TestGate, ...offers: string[]): Promise<ToyNode> {
  const node = await ToyNode.connect(gate.port("nodes"), KEY, ...offers);
  for (const offer of offers) equal(await node.told(), `granted ${offer}`);
  return node;
}

Deno.test("TLS by SNI goes through untouched, and ends here where the name has only port 80", async () => {
  await using gate = await gateOf();
  const own = await authority.issue(["pi.m"]);
  await using web = await rawUpstream(echoRequests);
  await using secure = await listen((socket) => socket.pipe(socket), 0, own);
  await using _node = await offering(gate, `pi.m:443=${secure.port}`, `web.m:80=${web.port}`);
  const ca = authority.root.chain, port = gate.port("edge");
  {
    await using tls = await connectSecure({ port, servername: "pi.m", ca });
    equal(tls.socket.getPeerCertificate().subjectaltname, "DNS:pi.m"); // the node's, not the gate's
    await tls.client.write("hello");
    equal(new TextDecoder().decode(await tls.client.read(5)), "hello");
  }
  await using ended = await connectSecure({ port, servername: "web.m", ca });
  for (const path of ["/a", "/b"]) {
    await ended.client.write(`GET ${path} HTTP/1.1\r\nHost: web.m\r\n\r\n`);
    equal((await readResponse(ended.client)).content, `${path} `);
  }
  await ended.client.write(`GET / HTTP/1.1\r\nHost: pi.m\r\n\r\n`);
  equal((await readResponse(ended.client)).status, 421);
  await rejects(connectSecure({ port, servername: "eve.m", ca }), /unrecognized name|alert/i);
});

for (const threads of [1, 2]) {
  /** Clients whose connections are on each engine. */
  const onEach = async (gate: TestGate, use: (client: Client) => Promise<void>): Promise<void> => {
    const engines = new Set<number>();
    for (let i = 0; i < 50 && engines.size < threads; i++) {
      await Promise.all(Array.from({ length: 4 * threads - 3 }, async () => {
        await using client = await connect(gate.port("edge"));
        await socks(client, "pi.m", 7);
        await use(client);
        const { id } = await gate.record(({ protocol }) => protocol === "socks");
        engines.add(id % threads);
      }));
    }
    equal(engines.size, threads);
  };

  Deno.test(`an end is an end each way, on ${threads} engines`, async () => {
    await using gate = await gateOf(threads);
    await using last = await listen((socket) => {
      let came = 0;
      socket.on("data", ({ length }) => came += length);
      socket.on("end", () => socket.end(`had ${came}`));
    });
    await using _node = await offering(gate, `pi.m:7=${last.port}`);
    await onEach(gate, async (client) => {
      await client.write(new Uint8Array(300_000));
      client.end();
      equal(await client.text(), "had 300000");
    });
    equal(gate.records.filter(({ protocol, outcome }) => protocol === "socks" && outcome !== "ok"), []);
  });

  Deno.test(`a reset is a reset each way, on ${threads} engines`, async () => {
    await using gate = await gateOf(threads);
    await using abrupt = await listen((socket) => void socket.once("data", () => socket.resetAndDestroy()));
    await using _node = await offering(gate, `pi.m:7=${abrupt.port}`);
    await onEach(gate, async (client) => {
      await client.write("x");
      await rejects(client.readAll(), /ECONNRESET/);
    });
    const sides = gate.records.filter(({ protocol }) => protocol === "socks");
    equal(new Set(sides.map(({ outcome, side }) => `${outcome} ${side}`)), new Set(["reset upstream"]));
  });

  Deno.test(`the node's peer sees the client's reset, on ${threads} engines`, async () => {
    await using gate = await gateOf(threads);
    const seen: Promise<string>[] = [];
    await using waiting = await listen((socket) => {
      socket.write("x");
      seen.push(
        new Promise((told) => {
          socket.on("error", ({ code }: Error & { code?: string }) => told(code ?? ""));
          socket.on("end", () => told("end"));
        }),
      );
    });
    await using _node = await offering(gate, `pi.m:7=${waiting.port}`);
    await onEach(gate, async (client) => {
      await client.read(1);
      client.reset();
    });
    equal(new Set(await Promise.all(seen)), new Set(["ECONNRESET"]));
  });

  Deno.test(`who refuses is told as one who does, on ${threads} engines`, async () => {
    await using gate = await gateOf(threads);
    await using closed = await listenEcho();
    const { port } = closed;
    await closed[Symbol.asyncDispose]();
    await using _node = await offering(gate, `pi.m:7=${port}`);
    const engines = new Set<number>();
    for (let i = 0; i < 50 && engines.size < threads; i++) {
      await Promise.all(Array.from({ length: 4 * threads - 3 }, async () => {
        await using client = await connect(gate.port("edge"));
        await rejects(socks(client, "pi.m", 7), /socks reply 5/);
        const { id, outcome, side } = await gate.record(({ protocol }) => protocol === "socks");
        equal([outcome, side], ["refused", "upstream"]);
        engines.add(id % threads);
      }));
    }
    equal(engines.size, threads);
  });
}

/** A client that is through to the echo. */
async function through(gate: TestGate): Promise<Client> {
  const client = await connect(gate.port("edge"));
  await socks(client, "pi.m", 7);
  await client.write("x");
  await client.read(1);
  return client;
}

Deno.test("policy that takes the right away takes the name away, and cuts what goes through it", async () => {
  const deny = `policy: [{ deny: { identity: "${KEY}", hosts: [pi.m] } }]`;
  await using gate = await gateOf();
  await using echo = await listenEcho();
  await using node = await offering(gate, `pi.m:7=${echo.port}`, `web.m:7=${echo.port}`);
  await using client = await through(gate);
  await gate.reload(`${gate.disk.text}\n${deny}`);
  ok(
    (await node.told()).startsWith(`lost pi.m:7=${echo.port} Cannot register pi.m:7: policy refuses it, by `),
  );
  await rejects(client.readAll(), /ECONNRESET/);
  await using late = await connect(gate.port("edge"));
  await rejects(socks(late, "pi.m", 7), /socks reply 4/);
  await using other = await connect(gate.port("edge"));
  await socks(other, "web.m", 7); // it keeps what nobody refuses
  await using again = await ToyNode.connect(gate.port("nodes"), KEY, `pi.m:7=${echo.port}`);
  ok((await again.told()).startsWith("refused denied "));
  const told = gate.messages.filter((message) =>
    message.startsWith("Cannot register pi.m:7: policy refuses it")
  );
  equal(told.length, 1); // of both: a line a minute
});

Deno.test("a deny that comes later cuts who took a registration's route", async () => {
  await using gate = await gateOf();
  const own = await authority.issue(["pi.m"]);
  await using secure = await listen((socket) => socket.pipe(socket), 0, own);
  await using _node = await offering(gate, `pi.m:443=${secure.port}`);
  await using _tls = await connectSecure({
    port: gate.port("edge"),
    servername: "pi.m",
    ca: authority.root.chain,
  });
  await gate.reload(`${gate.disk.text}\npolicy: [{ deny: { protocol: tls, hosts: [pi.m] } }]`);
  const { outcome, cause } = await gate.record(({ protocol }) => protocol === "tls");
  equal([outcome, cause?.includes("policy refuses it now")], ["denied", true]);
});

Deno.test("a reload that changes nothing of it keeps what is registered", async () => {
  await using gate = await gateOf();
  await using echo = await listenEcho();
  await using _node = await offering(gate, `pi.m:7=${echo.port}`);
  await using before = await through(gate);
  await gate.reload(
    `${gate.disk.text}\nhosts: { x.example: { addresses: [10.0.0.1] } }\nlog: { level: warn }`,
  );
  await before.write("y");
  await before.read(1);
  await using _after = await through(gate);
});

Deno.test("who lists nodes sees names, streams and how many there were", async () => {
  await using gate = await gateOf(2);
  await using echo = await listenEcho();
  await using node = await offering(gate, `pi.m:7=${echo.port}`, `pi.m:15022=${echo.port}`);
  {
    await using _first = await through(gate);
  }
  await gate.record(({ protocol }) => protocol === "socks");
  await using _second = await through(gate);
  const [{ names, identity, proof, streams, served, roundTrip, protocol, listener }] = await gate.service
    .nodes();
  equal([names, identity, proof], [["pi.m:7", "pi.m:15022"], KEY, "ssh key"]);
  equal([streams, served, roundTrip, protocol, listener], [1, 2, 7, "node", "nodes"]);
  await node[Symbol.asyncDispose]();
  await gate.record(({ protocol }) => protocol === "node");
  equal(await gate.service.nodes(), []);
});

Deno.test("an engine that dies takes its names with it, and no others", async () => {
  await using gate = await gateOf(2);
  await using echo = await listenEcho();
  const nodes: ToyNode[] = [];
  await using _all = {
    [Symbol.asyncDispose]: async () =>
      void await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())),
  };
  const engines = new Map<number, string>();
  for (let i = 0; engines.size < 2; i++) {
    const names = Array.from({ length: 4 }, (_, k) => `n${i}-${k}.m`);
    nodes.push(...await Promise.all(names.map((name) => offering(gate, `${name}:7=${echo.port}`))));
    for (const { id, names: [name] } of await gate.service.nodes()) engines.set(id % 2, name.split(":")[0]);
  }
  const victim = await connect(gate.port("nodes"));
  await victim.write(DEATH); // of the engine that takes it
  await victim.readAll().catch(() => {});
  await victim[Symbol.asyncDispose]();
  await until(async () => (await gate.service.status()).engines.every(({ alive }) => alive));
  await until(async () => (await gate.service.status()).engines.some(({ restarts }) => restarts > 0));
  const [dead] = (await gate.service.status()).engines.filter(({ restarts }) => restarts > 0);
  const alive = [...engines].find(([id]) => id % 2 !== (dead.engine + 1) % 2)!,
    gone = engines.get((dead.engine + 1) % 2)!;
  for (let i = 0; i < 4; i++) {
    await using client = await connect(gate.port("edge"));
    await socks(client, alive[1], 7);
    await using lost = await connect(gate.port("edge"));
    await rejects(socks(lost, gone, 7), /socks reply 4/);
  }
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((later) => setTimeout(later, 20));
}
