/** The same relay to a fallback where one end is layered, and where the client says nothing for good. */
import { equal, ok } from "../support/assert.ts";
import { startGate } from "../support/gate.ts";
import { Greeter } from "../support/greeter.ts";
import { type Client, connect } from "../support/net.ts";

const SIGNATURE = "PROXY ";
const GREETING = 6;

const text = (read: Uint8Array): string => new TextDecoder().decode(read);

/** The bytes as the toy's records, one each: its magic goes before the first one. */
const record = (said: string): Uint8Array => {
  const bytes = new TextEncoder().encode(said);
  return Uint8Array.of(bytes.length >> 8, bytes.length, ...bytes.map((byte) => byte ^ 0x5a));
};

const ending = (client: Client): Promise<string> => client.readAll().then(() => "end", (error) => error.code);

Deno.test("a fallback behind layers gets no PROXY header of a silent client, and everything else", async () => {
  await using greeter = await Greeter.start();
  await using far = await startGate(`
listeners: { far: { address: "127.0.0.1:0", protocols: [xor, socks] } }
hosts: { it.behind: { addresses: ["127.0.0.1"] } }
policy: [ { allow: { listener: far, addresses: ["127.0.0.0/8"] } } ]
admin: { address: "off" }`);
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh], fallback: "it.behind:${greeter.port}", sniffTimeout: 50ms } }
hosts: { "*": { via: "127.0.0.1:${far.port("far")}", layers: [xor, socks] } }
routes: [ { protocol: ssh, to: "127.0.0.1:1" } ]
admin: { address: "off" }`);
  await using fine = await connect(gate.port("edge"));
  const heard = await greeter.greeted(fine);
  for (const said of ["PROXY", "!", SIGNATURE]) {
    await fine.write(said);
    equal(text(await heard.read(said.length)), said);
  }
  fine.end();
  equal((await heard.readAll()).length, 0);
  heard.end();
  equal(await ending(fine), "end");
  equal((await gate.record()).outcome, "ok");

  await using client = await connect(gate.port("edge"));
  const server = await greeter.greeted(client);
  await client.write("PROXY");
  equal(text(await server.read(5)), "PROXY");
  await client.write(" TCP4");
  const { outcome, side, up } = await gate.record();
  equal([outcome, side, up], ["denied", "client", 5]);
  equal([await ending(client), await ending(server)], ["ECONNRESET", "ECONNRESET"]);
});

Deno.test("a layered client that was silent is cut at a PROXY header, and the fallback sees a reset", async () => {
  await using greeter = await Greeter.start();
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [xor, ssh], fallback: "127.0.0.1:${greeter.port}", sniffTimeout: 50ms } }
routes: [ { protocol: ssh, to: "127.0.0.1:1" } ]
admin: { address: "off" }`);
  const cases: [string[], string][] = [[["PRO", "XY "], "denied"], [["PRO", "XY!", SIGNATURE], "ok"]];
  for (const [at, [pieces, expected]] of cases.entries()) {
    await using client = await connect(gate.port("edge"));
    await client.write("XOR1");
    await client.read(2 + GREETING); // a record, of a length and that much
    const server = greeter.end(at);
    for (const piece of pieces) {
      await client.write(record(piece));
      if (expected === "ok" || piece === "PRO") equal(text(await server.read(piece.length)), piece);
    }
    client.end();
    equal(await ending(server), expected === "ok" ? "end" : "ECONNRESET");
    server.end();
    await ending(client);
    const { outcome, up } = await gate.record(({ parent }) => parent !== undefined);
    equal([outcome, up], expected === "ok" ? [expected, pieces.join("").length] : [expected, 3]);
  }
});

Deno.test("who stops within what may be a PROXY header ends with the idle time", async () => {
  await using greeter = await Greeter.start();
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh], fallback: "127.0.0.1:${greeter.port}", sniffTimeout: 50ms } }
routes: [ { protocol: ssh, to: "127.0.0.1:1" } ]
limits: { idleTimeout: 300ms }
admin: { address: "off" }`);
  await using client = await connect(gate.port("edge"));
  const server = await greeter.greeted(client);
  await client.write("PROX");
  equal(text(await server.read(4)), "PROX");
  const { outcome, cause } = await gate.record();
  equal(outcome, "timeout");
  ok(cause?.includes("idle time"), cause);
  equal([await ending(client), await ending(server)], ["ECONNRESET", "ECONNRESET"]);
});
