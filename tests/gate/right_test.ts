/** What holds when a connection is decided, and not when it came in: reloads while it is on its way. */
import { equal, ok } from "../support/assert.ts";
import { clientHello } from "../support/client_hello.ts";
import { DnsServer, zone } from "../support/dns_server.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { type Client, connect, listenEcho, socks } from "../support/net.ts";

const OFF = `admin: { address: "off" }`;
const FAR = `proxyProtocol: ["192.0.2.0/24"]`;

/** Resolves when so many connections came in at a listener. */
async function accepted(gate: TestGate, listener: string, count = 1): Promise<void> {
  const active = async () =>
    (await gate.service.status()).listeners.find((each) => each.listener === listener);
  while ((await active())?.active !== count);
}

const request = (port: number) => Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255);

/** SOCKS5 up to the method, none. */
async function greet(port: number): Promise<Client> {
  const client = await connect(port);
  await client.write(Uint8Array.of(5, 1, 0));
  equal([...await client.read(2)], [5, 0]);
  return client;
}

/** The code of SOCKS5's answer to a request. */
async function asked(client: Client, port: number): Promise<number> {
  await client.write(request(port));
  return (await client.read(10))[1];
}

async function echoes(client: Client, text = "x"): Promise<boolean> {
  await client.write(text);
  return new TextDecoder().decode(await client.read(text.length)) === text;
}

/** The engine has it too: a count goes behind the snapshot. */
async function reload(gate: TestGate, text: string): Promise<void> {
  const { result, problems } = await gate.reload(text);
  equal(result, "applied", problems.join("\n"));
  await gate.service.status();
}

/** How a cut connection looks to its client. */
const cut = (client: Client): Promise<string> =>
  client.readAll().then(() => "ended", (error) => String(error.code));

/** Bytes before a reload, what answers them, those behind it, and how the answer to them begins. */
type Stage = readonly [
  name: string,
  before: Uint8Array,
  answer: number[],
  after: Uint8Array,
  refusal: string,
];
const NOTHING = new Uint8Array(0);

Deno.test("who has to log in now and has not is refused, however far it came while nobody had to", async () => {
  await using echo = await listenEcho();
  const head = new TextEncoder().encode(`CONNECT 127.0.0.1:${echo.port} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const socks4 = Uint8Array.of(4, 1, echo.port >> 8, echo.port & 255, 127, 0, 0, 1, 0);
  const stages: readonly Stage[] = [
    ["silent, then SOCKS5", NOTHING, [], Uint8Array.of(5, 1, 0), "\x05\xff"],
    ["half a greeting", Uint8Array.of(5, 2), [], Uint8Array.of(0, 1), "\x05\xff"],
    ["greeted", Uint8Array.of(5, 1, 0), [5, 0], request(echo.port), "\x05\x02"],
    ["half a SOCKS5 request", Uint8Array.of(5, 1, 0, 5, 1), [5, 0], request(echo.port).slice(2), "\x05\x02"],
    ["half a SOCKS4 request", socks4.slice(0, 3), [], socks4.slice(3), "\x00\x5b"],
    ["silent, then CONNECT", NOTHING, [], head, "HTTP/1.1 407 "],
    ["half a head", head.slice(0, 20), [], head.slice(20), "HTTP/1.1 407 "],
  ];
  const text = (users: string) => `
listeners: { proxy: { address: "127.0.0.1:0", protocols: [socks, connect], ${users} sniffTimeout: 30s } }
${OFF}`;
  for (const [name, before, answer, after, refusal] of stages) {
    await using gate = await startGate(text(""));
    await using client = await connect(gate.port("proxy"));
    if (before.length > 0) await client.write(before);
    equal([...await client.read(answer.length)], answer, name);
    await accepted(gate, "proxy");
    await reload(gate, text("users: { alice: one },"));
    await client.write(after);
    const said = String.fromCharCode(...await client.readAll());
    ok(said.startsWith(refusal), `${name}: ${JSON.stringify(said)}`);
    equal([name, (await gate.record()).outcome], [name, "unauthenticated"]);
  }
  equal(echo.sockets.length, 0);
});

Deno.test("TLS by an SNI that no route names is cut where its listener asks for users now: nobody can log in by it", async () => {
  await using echo = await listenEcho();
  const text = (users: string) => `
listeners: { local: { address: "127.0.0.1:0", protocols: [socks, tls], ${users} } }
hosts: { a.test: { addresses: ["127.0.0.1:${echo.port}"] } }
${OFF}`;
  await using gate = await startGate(text(""));
  await using client = await connect(gate.port("local"));
  const hello = clientHello({ serverName: "a.test" });
  await client.write(hello);
  equal(await client.read(hello.length), hello);
  await reload(gate, text("users: { alice: one }"));
  equal(await cut(client), "ECONNRESET");
  equal((await gate.record()).outcome, "denied");
});

Deno.test("trust in loopback that a reload took away is gone for who is in its handshake, and for who is through", async () => {
  await using a = await listenEcho();
  await using b = await listenEcho();
  const text = (more: string, policy: string) => `
listeners: { local: { address: "127.0.0.1:0", protocols: [socks], ${more} } }
policy: [${policy}]
${OFF}`;
  await using gate = await startGate(text("", ""));
  const port = gate.port("local");
  await using stays = await connect(port);
  await using goes = await connect(port);
  await socks(stays, "127.0.0.1", a.port);
  await socks(goes, "127.0.0.1", b.port);
  await using one = await greet(port);
  await using other = await greet(port);
  await reload(gate, text(FAR, `{ allow: { addresses: "127.0.0.0/8", ports: ${a.port} } }`));
  equal([await asked(one, b.port), await asked(other, a.port)], [2, 0]);
  equal(await cut(goes), "ECONNRESET");
  equal([await echoes(stays), await echoes(other)], [true, true]);
  const records = [await gate.record(), await gate.record()];
  equal(
    records.map(({ outcome, target }) => `${outcome} ${target}`),
    Array(2).fill(`denied 127.0.0.1:${b.port}`),
  );
  ok(records.some(({ cause }) => cause?.includes("Cannot go on: policy refuses it now, by the default")));
});

Deno.test("trust that is taken away while a name is being resolved permits no address of the answer", async () => {
  await using echo = await listenEcho();
  const answer = Promise.withResolvers<void>(), resolving = Promise.withResolvers<void>();
  const known = zone([{ name: "slow.test", type: "A", data: "127.0.0.1" }]);
  await using dns = await DnsServer.start((question) => {
    resolving.resolve();
    const replies = known(question);
    return [replies ?? []].flat().map((reply) => ({ ...reply, after: answer.promise }));
  });
  const text = (more: string) => `
listeners: { local: { address: "127.0.0.1:0", protocols: [socks], ${more} } }
dns: { servers: ["127.0.0.1:${dns.target.port}"] }
policy: [ { allow: { hosts: "slow.test", addresses: ["10.0.0.0/8"] } } ]
${OFF}`;
  await using gate = await startGate(text(""));
  await using client = await connect(gate.port("local"));
  const reply = socks(client, "slow.test", echo.port).then(() => "0", (error) => error.message);
  await resolving.promise;
  await reload(gate, text(FAR));
  answer.resolve();
  equal([await reply, (await gate.record()).outcome, echo.sockets.length], ["socks reply 2", "denied", 0]);
});

Deno.test("who was not told apart yet is told apart by what the listener speaks now", async () => {
  await using echo = await listenEcho();
  const text = (protocols: string) => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [${protocols}], sniffTimeout: 30s } }
routes: [ { protocol: ssh, to: "127.0.0.1:${echo.port}" } ]
${OFF}`;
  await using gate = await startGate(text("socks, ssh"));
  await using taken = await connect(gate.port("edge"));
  await using stays = await connect(gate.port("edge"));
  await accepted(gate, "edge", 2);
  await reload(gate, text("ssh"));
  await taken.write(Uint8Array.of(5, 1, 0));
  await cut(taken);
  equal((await gate.record()).outcome, "malformed");
  equal(await echoes(stays, "SSH-2.0-test\r\n"), true);
});

Deno.test("a listener that is gone serves who came in by its rules and routes, and by the policy of now", async () => {
  await using a = await listenEcho();
  await using b = await listenEcho();
  const other = `other: { address: "127.0.0.1:0", protocols: [socks] }`;
  const edge = `edge: { address: "127.0.0.1:0", protocols: [socks, ssh], sniffTimeout: 30s }`;
  const route = `routes: [ { listener: edge, protocol: ssh, to: "127.0.0.1:${a.port}" } ]`;
  await using gate = await startGate(`listeners: { ${edge}, ${other} }\n${route}\n${OFF}`);
  const port = gate.port("edge");
  await using silent = await connect(port);
  await using one = await greet(port);
  await using two = await greet(port);
  await accepted(gate, "edge", 3);
  await reload(gate, `listeners: { ${other} }\npolicy: [ { deny: { ports: ${b.port} } } ]\n${OFF}`);
  equal(await echoes(silent, "SSH-2.0-test\r\n"), true);
  equal([await asked(one, a.port), await asked(two, b.port)], [0, 2]);
  equal((await gate.record()).outcome, "denied");
});
