/** A gate that is led to itself stops after a few rounds, and says why. */
import { freePorts } from "../../scripts/free_ports.ts"; // listeners that lead to each other know their ports first
import { equal, ok } from "../support/assert.ts";
import { Folder } from "../support/child.ts";
import { clientHello } from "../support/client_hello.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { connect, connectUnix, socks } from "../support/net.ts";

const DEPTH = 4;

/** Ends for every round, and counts them. */
async function rounds(gate: TestGate): Promise<number> {
  const denied = await gate.record(({ outcome }) => outcome === "denied");
  ok(/a loop 5 deep/.test(denied.cause ?? ""), denied.cause);
  for (let i = 0; i < DEPTH; i++) await gate.record();
  return gate.records.length;
}

Deno.test("a forward to itself, and two forwards to each other", async () => {
  const [one, two, three] = freePorts(3);
  await using gate = await startGate(`
listeners:
  one:   { address: "127.0.0.1:${one}", to: "me.test:${one}" }
  two:   { address: "127.0.0.1:${two}", to: "127.0.0.1:${three}" }
  three: { address: "127.0.0.1:${three}", to: "127.0.0.1:${two}" }
hosts: { me.test: { addresses: [127.0.0.1] } }
admin: { address: "off" }`);
  for (const [times, port] of [one, two].entries()) {
    await using client = await connect(port);
    await client.readAll().catch(() => {});
    client.end();
    equal(await rounds(gate), (times + 1) * (DEPTH + 1));
  }
});

Deno.test("the same over IPv6, on every address of the machine, and over two engine threads", async () => {
  const [one, two] = freePorts(2);
  await using gate = await startGate(`
listeners:
  one: { address: "[::1]:${one}", to: "me.test:${one}" }
  two: { address: ":${two}", to: "other.test:${two}" }
hosts: { me.test: { addresses: ["::1"] }, other.test: { addresses: [127.0.0.2] } }
engine: { threads: 2 }
admin: { address: "off" }`);
  for (const [times, [host, port]] of ([["::1", one], ["127.0.0.1", two]] as const).entries()) {
    await using client = await connect(port, host);
    await client.readAll().catch(() => {});
    client.end();
    equal(await rounds(gate), (times + 1) * (DEPTH + 1));
  }
});

Deno.test("unix sockets to each other, by path and by abstract name", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/s`;
  await using gate = await startGate(`
listeners:
  path: { address: "unix:${path}", to: "unix:${path}-back" }
  back: { address: "unix:${path}-back", to: "unix:${path}" }
  abstract: { address: "unix:@ugate-loop-${Deno.pid}", to: "unix:@ugate-loop-${Deno.pid}-back" }
  again: { address: "unix:@ugate-loop-${Deno.pid}-back", to: "unix:@ugate-loop-${Deno.pid}" }
  way: { address: "127.0.0.1:0", to: "unix:@ugate-loop-${Deno.pid}" }
admin: { address: "off" }`);
  {
    await using client = await connectUnix(path);
    await client.readAll().catch(() => {});
    client.end();
    equal(await rounds(gate), DEPTH + 1);
  }
  await using client = await connect(gate.port("way"));
  await client.readAll().catch(() => {});
  client.end();
  equal(await rounds(gate), 2 * (DEPTH + 1));
});

Deno.test("a route by SNI, a balanced one and a fallback that lead back", async () => {
  const [edge] = freePorts(1);
  await using gate = await startGate(`
listeners: { edge: { address: ["127.0.0.1:${edge}", "127.0.0.2:${edge}"], protocols: [tls], fallback: "me.test:${edge}" } }
hosts: { me.test: { addresses: [127.0.0.1] }, other.test: { addresses: [127.0.0.2] } }
routes:
  - { host: a.test, to: "me.test:${edge}" }
  - { host: b.test, to: ["me.test:${edge}", "other.test:${edge}"] }
admin: { address: "off" }`);
  let before = 0;
  for (
    const opening of [
      clientHello({ serverName: "a.test" }),
      clientHello({ serverName: "b.test" }),
      new Uint8Array(9),
    ]
  ) {
    await using client = await connect(edge);
    await client.write(opening);
    await client.readAll().catch(() => {});
    client.end();
    const now = await rounds(gate);
    ok(now - before <= 2 * (DEPTH + 1), `${now - before} connections came of one`);
    before = now;
  }
});

Deno.test("its own listeners and admin page are no target for a client, however they are spelled", async () => {
  const [admin] = freePorts(1);
  await using gate = await startGate(`
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { me.test: { addresses: ["127.0.0.1"] } }
policy: [ { allow: { listener: local, hosts: me.test } } ]
admin: { address: "127.0.0.1:${admin}" }`);
  const spellings = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "0.0.0.0",
    "::ffff:127.0.0.1",
    "me.test",
  ];
  for (const port of [gate.port("local"), admin]) {
    for (const host of spellings) {
      await using client = await connect(gate.port("local"));
      equal([host, await socks(client, host, port).then(() => "0", (error) => error.message)], [
        host,
        "socks reply 2",
      ]);
    }
  }
});

Deno.test("who is let through to its own listener is not a loop: one gate may stand behind itself", async () => {
  const [inner] = freePorts(1);
  await using gate = await startGate(`
listeners:
  outer: { address: "127.0.0.1:0", to: "127.0.0.1:${inner}" }
  inner: { address: "127.0.0.1:${inner}", protocols: [socks] }
admin: { address: "off" }`);
  await using client = await connect(gate.port("outer"));
  equal(await socks(client, "127.0.0.1", 1).then(() => "0", (error) => error.message), "socks reply 5");
});
