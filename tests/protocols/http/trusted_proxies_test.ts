/** What requests say of where they come from: believed of `trustedProxies`, and of nobody else. */
import { toldClient } from "../../../protocols/http/client_address.ts";
import { MessageHead } from "../../../protocols/http/message_head.ts";
import { parseRequest } from "../../../protocols/http/parse_head.ts";
import { equal, ok } from "../../support/assert.ts";
import { fakeConn } from "../../support/fake_gate.ts";
import { startGate } from "../../support/gate.ts";
import { type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { memoryPair } from "../../support/memory_stream.ts";
import { type Client, connect } from "../../support/net.ts";

/** Answers with the head of the request, as it came. */
async function showHeads(peer: RawPeer): Promise<void> {
  for (;;) {
    const head = await peer.head();
    peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
  }
}

async function ask(client: Client, fields: string) {
  await client.write(`GET / HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`);
  return await readResponse(client);
}

/** The fields that tell where it came from, in their order. */
const told = (head: string): string[] =>
  head.split("\r\n").filter((line) => /^(?:x-forwarded|x-real|forwarded)/i.test(line));

const gateWith = (port: number, trusted: string, more = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http]${trusted} } }
routes: [{ to: "http://127.0.0.1:${port}"${more} }]
admin: { address: off }
`);

const CLAIMS =
  "X-Forwarded-For: 192.0.2.9, 10.1.2.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: pub.example\r\n" +
  'X-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /x\r\nX-Real-IP: 192.0.2.9\r\nForwarded: for="[2001:db8::1]";proto=https\r\n';

Deno.test("of a trusted proxy lists grow by this hop, and the rest stays as it was given", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, ", trustedProxies: [127.0.0.0/8, 10.0.0.0/8]");
  await using client = await connect(gate.port("web"));
  const { content } = await ask(client, CLAIMS);
  equal(told(content), [
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: pub.example",
    "X-Forwarded-Port: 443",
    "X-Forwarded-Prefix: /x",
    "X-Real-IP: 192.0.2.9",
    "X-Forwarded-For: 192.0.2.9, 10.1.2.3, 127.0.0.1",
    'Forwarded: for="[2001:db8::1]";proto=https, for=127.0.0.1;host="a.example";proto=http',
  ]);
  const bare = await ask(client, "X-Forwarded-For: 192.0.2.8\r\nx-forwarded-for: 192.0.2.7\r\n");
  equal(told(bare.content), [
    "X-Forwarded-For: 192.0.2.8, 192.0.2.7, 127.0.0.1",
    "X-Real-IP: 192.0.2.7",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: a.example",
    `X-Forwarded-Port: ${gate.port("web")}`,
  ]);
  const broken = await ask(client, 'Forwarded: for="x\r\nForwarded: for=a;by="\\"",for=b\r\n');
  equal(
    told(broken.content).at(-1),
    'Forwarded: for=a;by="\\"",for=b, for=127.0.0.1;host="a.example";proto=http',
  );
  client.end();
  await gate.record();
  equal(gate.requests.map(({ client }) => client), ["192.0.2.9", "192.0.2.7", "127.0.0.1"]);
});

Deno.test("nothing is added that speaks against what a trusted proxy told", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, ", trustedProxies: 127.0.0.1");
  await using client = await connect(gate.port("web"));
  const scheme = await ask(client, "X-Forwarded-For: 192.0.2.8\r\nX-Forwarded-Proto: https\r\n");
  equal(told(scheme.content), [
    "X-Forwarded-Proto: https",
    "X-Forwarded-For: 192.0.2.8, 127.0.0.1",
    "X-Real-IP: 192.0.2.8",
    "X-Forwarded-Host: a.example",
  ]);
  const silent = await ask(client, "");
  equal(told(silent.content), [
    "X-Forwarded-For: 127.0.0.1",
    "X-Real-IP: 127.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: a.example",
    `X-Forwarded-Port: ${gate.port("web")}`,
    'Forwarded: for=127.0.0.1;host="a.example";proto=http',
  ]);
});

Deno.test("of everybody else nothing of it is believed, and `_` for `-` of nobody at all", async () => {
  await using upstream = await rawUpstream(showHeads);
  for (const trusted of ["", ", trustedProxies: 10.0.0.0/8"]) {
    await using gate = await gateWith(upstream.port, trusted);
    await using client = await connect(gate.port("web"));
    const { content } = await ask(client, `${CLAIMS}${CLAIMS.replaceAll("-", "_")}`);
    ok(!/192\.0\.2|10\.1\.2|pub\.example|2001:db8|https|Prefix/i.test(content), content);
    client.end();
    await gate.record();
    equal(gate.requests.map(({ client }) => client), [undefined]);
  }
  await using gate = await gateWith(upstream.port, ", trustedProxies: 127.0.0.1");
  await using client = await connect(gate.port("web"));
  const { content } = await ask(
    client,
    CLAIMS.replaceAll("X-F", "X_F").replaceAll("d-F", "d_F").replaceAll("X-R", "X_R"),
  );
  ok(!/192\.0\.2/.test(content), content);
});

Deno.test("no option of Connection takes away what a backend is told of a request", async () => {
  await using upstream = await rawUpstream(showHeads);
  const named = [...CLAIMS.match(/[\w-]+(?=: )/g)!, "X-Request-Id", "traceparent", "tracestate", "Via"];
  const options = [named.slice(0, 6), named.slice(6), ["Host", "authorization"], ["X-Own", "Cookie"]];
  const trace = "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\ntracestate: a=b\r\n";
  const rest =
    `X-Request-Id: mine\r\n${trace}Via: 1.0 old\r\nAuthorization: Bearer x\r\nX-Own: 1\r\nCookie: a=b\r\n`;
  for (const trusted of ["", ", trustedProxies: 127.0.0.1"]) {
    await using gate = await gateWith(upstream.port, trusted);
    await using client = await connect(gate.port("web"));
    const plain = (await ask(client, `${CLAIMS}${rest}`)).content;
    ok(trusted === "" || plain.includes("X-Forwarded-Proto: https\r\n"), plain);
    for (const some of options) {
      const { content } = await ask(client, `Connection: ${some}\r\n${CLAIMS}${rest}`);
      const left = some[0] === "X-Own" ? plain.replace("X-Own: 1\r\nCookie: a=b\r\n", "") : plain;
      equal(content, left, `${some} ${trusted}`);
    }
  }
});

Deno.test("nor does it take away who was proven, or what a route sets", async () => {
  await using upstream = await rawUpstream(showHeads);
  const auth =
    ", auth: { basic: { alice: x } }, requestHeaders: { set: { X-Own: gate, Authorization: own } }";
  for (const trusted of ["", ", trustedProxies: 127.0.0.1"]) {
    await using gate = await gateWith(upstream.port, trusted, auth);
    await using client = await connect(gate.port("web"));
    const fields = `Connection: x-forwarded-user, x_forwarded_user, authorization, x-own\r\n` +
      `X-Forwarded-User: root\r\nX_Forwarded_User: root\r\nX-Own: mine\r\nAuthorization: Basic ${
        btoa("alice:x")
      }\r\n`;
    const { status, content } = await ask(client, fields);
    equal([status, content.match(/^(?:x.forwarded.user|x-own|authorization): .*(?=\r)/gim)], [
      200,
      ["X-Forwarded-User: alice", "X-Own: gate", "Authorization: own"],
    ]);
  }
});

Deno.test("`sources` of a route are about the client that a trusted proxy tells of", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(
    upstream.port,
    ", trustedProxies: 127.0.0.1",
    ", sources: [192.0.2.0/24, 127.0.0.1]",
  );
  await using client = await connect(gate.port("web"));
  const statuses = [];
  for (const address of ["192.0.2.1", "198.51.100.1", "192.0.2.1, 198.51.100.1", "198.51.100.1, 192.0.2.1"]) {
    statuses.push((await ask(client, `X-Forwarded-For: ${address}\r\n`)).status);
  }
  statuses.push((await ask(client, "")).status); // of the proxy itself
  equal(statuses, [200, 403, 403, 200, 200]);
  // Who is refused is the route's: in its numbers, and in its lines.
  const { requests } = await gate.service.status();
  equal(requests.map(({ active, statuses }) => [active, statuses["2xx"], statuses["4xx"]]), [[0, 3, 2]]);
  const refused = await gate.request(({ status }) => status === 403);
  equal([refused.outcome, refused.route, refused.endpoint], ["denied", requests[0].route, undefined]);
});

Deno.test("a rate is that of the client, and not of the proxy in front", async () => {
  await using upstream = await rawUpstream(showHeads);
  const limit = ", rateLimit: { requests: 2, per: 1h }";
  await using gate = await gateWith(upstream.port, ", trustedProxies: 127.0.0.1", limit);
  await using client = await connect(gate.port("web"));
  const statuses = [];
  for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "6.6.6.6, 192.0.2.1"]) {
    statuses.push((await ask(client, `X-Forwarded-For: ${address}\r\n`)).status);
  }
  equal(statuses, [200, 200, 429, 200, 429]);
});

Deno.test("the client is the last address that is no trusted proxy's, in every form that proxies write", () => {
  const [stream] = memoryPair();
  const conn = {
    ...fakeConn(stream),
    peer: { address: "10.0.0.1", layers: [] },
    believes: (address: string) => /^10\.|^fd00:/.test(address),
  };
  const clientOf = (...lists: string[]): string | undefined => {
    const fields = lists.map((list) => `x-FORWARDED-for: ${list}\r\n`).join("");
    const bytes = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`),
      head = new MessageHead();
    equal(parseRequest(head, bytes, 0, bytes.length, 65536, 0), head);
    return toldClient(head, bytes, conn);
  };
  const cases: [expected: string, ...lists: string[]][] = [
    ["10.0.0.1"],
    ["10.0.0.1", ""],
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1", "6.6.6.6, 192.0.2.1"],
    ["192.0.2.1", "6.6.6.6, 192.0.2.1, 10.9.9.9,10.8.8.8"],
    ["192.0.2.1", "6.6.6.6", "192.0.2.1", "10.9.9.9"],
    ["10.9.9.9", "10.9.9.9, 10.8.8.8"],
    ["192.0.2.1", "192.0.2.1:4711"],
    ["2001:db8::1", "2001:DB8:0::1"],
    ["2001:db8::1", "[2001:db8::1]"],
    ["2001:db8::1", "[2001:db8::1]:443"],
    ["192.0.2.1", "192.0.2.1, fd00::1"],
    ["192.0.2.1", "::ffff:192.0.2.1"],
    ["10.0.0.1", "192.0.2.1, unknown"],
    ["10.0.0.1", "192.0.2.1, "],
    ["10.9.9.9", "192.0.2.1, _hidden, 10.9.9.9"],
    ["10.0.0.1", "192.0.2.1, 0x7f.1"],
    ["10.0.0.1", "192.0.2.1, 127.1"],
    ["10.0.0.1", '"192.0.2.1"'],
    ["10.0.0.1", "192.0.2.1 192.0.2.2"],
    ["10.0.0.1", "192.0.2.1", ""],
    ["10.9.9.9", "192.0.2.1", ",10.9.9.9"],
    ["192.0.2.1", `192.0.2.1${", 10.9.9.9".repeat(63)}`],
    ["10.9.9.9", `192.0.2.1${", 10.9.9.9".repeat(64)}`],
    ["10.9.9.9", "192.0.2.1", "10.9.9.9", ...Array(63).fill("10.9.9.9")],
  ];
  for (const [expected, ...lists] of cases) equal(clientOf(...lists), expected, lists.join(" | "));
  equal(
    toldClient(new MessageHead(), new Uint8Array(), { ...conn, peer: { address: "192.0.2.1", layers: [] } }),
    undefined,
  );
});
