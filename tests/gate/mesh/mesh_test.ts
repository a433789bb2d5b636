import { equal, ok, rejects } from "../../support/assert.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect, listenEcho, pattern, socks } from "../../support/net.ts";
import { ToyNode } from "../../support/toy_node.ts";

const ID = "a3ucxd63fcfxmx7gh64fzm5eahh3pglkwrmbhpgy4aa3mgm6sxpq", KEY = `key:${ID.toUpperCase()}`;
const BOB = "key:BVMXJRUH7FVKYBZBXJ7HQVHDIMDO7ADRUUQLYMDU6X7SARNP5OXA";

const gateOf = (threads = 1, more = ""): Promise<TestGate> =>
  startGate(`
node: { name: gate, domain: mesh.example.com }
engine: { threads: ${threads} }
listeners:
  nodes: { address: "127.0.0.1:0", protocols: [node] }
  edge: { address: "127.0.0.1:0", protocols: [tls, http, socks] }
discovery: [file, mesh]
${more}`);

const matches = (text: string, pattern: RegExp): void => ok(pattern.test(text), text);

/** Through SOCKS, and back what was sent. */
async function echoes(gate: TestGate, host: string, port: number, size = 100_000): Promise<void> {
  await using client = await connect(gate.port("edge"));
  await socks(client, host, port);
  const bytes = pattern(size);
  void client.write(bytes);
  equal(await client.read(size), bytes);
  client.end();
  equal((await client.readAll()).length, 0);
}

for (const threads of [1, 2]) {
  Deno.test(`a name is reached through the connection that offers it, on ${threads} engines`, async () => {
    await using gate = await gateOf(threads);
    await using echo = await listenEcho();
    await using node = await ToyNode.connect(gate.port("nodes"), KEY, `pi.mesh.example.com:7=${echo.port}`);
    equal(await node.told(), `granted pi.mesh.example.com:7=${echo.port}`);
    const engines = new Set<number>();
    for (let i = 0; i < 200 && engines.size < threads; i++) {
      await echoes(gate, "pi.mesh.example.com", 7);
      const record = await gate.record(({ protocol }) => protocol === "socks");
      equal([record.outcome, record.endpoint], ["ok", "pi.mesh.example.com:7 mesh"]);
      engines.add(record.id % threads);
    }
    equal(engines.size, threads);
  });

  Deno.test(`requests go by their Host through channels that stay, on ${threads} engines`, async () => {
    await using gate = await gateOf(threads);
    await using web = await rawUpstream(echoRequests);
    await using node = await ToyNode.connect(gate.port("nodes"), KEY, `pi.mesh.example.com:80=${web.port}`);
    await node.told();
    for (let i = 0; i < 10; i++) {
      await using client = await connect(gate.port("edge"));
      for (const path of ["/a", "/b", "/c"]) {
        await client.write(`GET ${path} HTTP/1.1\r\nHost: pi.mesh.example.com\r\n\r\n`);
        const { status, content } = await readResponse(client);
        equal([status, content], [200, `${path} `]);
      }
      await client.write(`GET / HTTP/1.1\r\nHost: eve.mesh.example.com\r\n\r\n`);
      equal((await readResponse(client)).status, 404);
    }
    equal(web.sockets.length <= 2 * threads, true);
  });
}

Deno.test("a node's ID is a name under each suffix, and port 15022 serves 22", async () => {
  await using gate = await gateOf();
  await using echo = await listenEcho();
  await using node = await ToyNode.connect(
    gate.port("nodes"),
    KEY,
    `${ID}.mesh.example.com:15022=${echo.port}`,
  );
  matches(await node.told(), /^granted/);
  for (const host of [`${ID}.mesh.example.com`, `${ID}.m`, `${ID}.h.mesh.internal`, ID.toUpperCase()]) {
    for (const port of [22, 15022]) await echoes(gate, host, port, 10);
  }
});

Deno.test("who is not connected is an error and no question to anybody else", async () => {
  await using gate = await gateOf();
  await using echo = await listenEcho();
  const refused = async (host: string, code: number) => {
    await using client = await connect(gate.port("edge"));
    await rejects(socks(client, host, 7), new RegExp(`socks reply ${code}`));
  };
  await refused(`${ID}.m`, 4);
  {
    await using node = await ToyNode.connect(gate.port("nodes"), KEY, `pi.mesh.example.com:7=${echo.port}`);
    await node.told();
    await echoes(gate, "pi.mesh.example.com", 7);
  }
  await gate.record(({ protocol }) => protocol === "node");
  await refused("pi.mesh.example.com", 4);
  const record = await gate.record(({ target, outcome }) =>
    target === "pi.mesh.example.com:7" && outcome !== "ok"
  );
  equal([record.outcome, record.side], ["unreachable", "upstream"]);
  matches(record.cause!, /it is not connected/);
});

Deno.test("another key cannot take a live name, the same one takes it over at once", async () => {
  await using gate = await gateOf();
  await using echo = await listenEcho();
  await using other = await listenEcho();
  const name = "pi.mesh.example.com:7";
  await using first = await ToyNode.connect(gate.port("nodes"), KEY, `${name}=${other.port}`);
  matches(await first.told(), /^granted/);
  await using thief = await ToyNode.connect(gate.port("nodes"), BOB, `${name}=${other.port}`);
  matches(await thief.told(), /^refused denied .*somebody else is connected under it/);
  await using again = await ToyNode.connect(gate.port("nodes"), KEY, `${name}=${echo.port}`);
  matches(await again.told(), /^granted/);
  matches(await first.told(), /^lost pi.mesh.example.com:7=\d+ .*another connection of its key/);
  await echoes(gate, "pi.mesh.example.com", 7);
  equal([other.sockets.length, echo.sockets.length], [0, 1]);
  await first[Symbol.asyncDispose]();
  await gate.record(({ protocol }) => protocol === "node");
  await echoes(gate, "pi.mesh.example.com", 7);
});
