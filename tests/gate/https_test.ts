/** Requests over TLS that ends at a running gate, beside those in clear on the same port. */
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { startGate } from "../support/gate.ts";
import { echoRequests, rawUpstream, type ReadResponse, readResponse } from "../support/http_peers.ts";
import { type Client, connect, listenEcho } from "../support/net.ts";
import { connectSecure } from "../support/tls_clients.ts";

const authority = await Authority.make("requests");
const site = await authority.issue(["a.example", "b.example", "*.in.example"]);
const ca = authority.root.chain;
openssl(); // it stays open: not in a test

const yaml = (routes: string, more = "", listener = "") => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http, ssh]${listener} } }
routes: [${routes}]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
admin: { address: "off" }
${more}`;

async function get(client: Client, host: string, path = "/", more = ""): Promise<ReadResponse> {
  await client.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`);
  return await readResponse(client);
}

Deno.test("one port takes requests in clear and over TLS, each by its own route", async () => {
  const heads: string[] = [];
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      heads.push(await peer.head());
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    }
  });
  await using other = await rawUpstream(echoRequests);
  await using gate = await startGate(yaml(`
    { host: a.example, path: /other, to: "http://127.0.0.1:${other.port}" },
    { host: a.example, to: "http://127.0.0.1:${upstream.port}" }`));
  const port = gate.port("edge");
  await using secure = await connectSecure({ port, servername: "a.example", ca });
  equal((await get(secure.client, "a.example")).content, "1");
  equal((await get(secure.client, "a.example", "/other/x")).content, "/other/x ");
  equal((await get(secure.client, "a.example:8443")).content, "1");
  equal((await get(secure.client, "c.example")).status, 404);
  await using clear = await connect(port);
  equal((await get(clear, "a.example", "/other/y")).content, "/other/y ");
  ok(/^X-Forwarded-Proto: https\r$/m.test(heads[0]) && /;proto=https\r$/m.test(heads[0]), heads[0]);
  secure.socket.end();
  await secure.client.readAll();
  const inner = await gate.record(({ protocol }) => protocol === "http");
  const outer = await gate.record(({ id }) => id === inner.parent);
  equal([outer.protocol, outer.outcome, outer.target, inner.serverName], [
    ...["tls", "ok", "a.example:443", "a.example"],
  ]);
});

Deno.test("an HTTPS request on a connection of its own makes two lines: its own, and its connection's", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const route = `{ host: a.example, to: "http://127.0.0.1:${upstream.port}" }`;
  await using gate = await startGate(yaml(route, "log: { level: info }"));
  const port = gate.port("edge");
  for (const servername of ["a.example", "a.example"]) {
    await using secure = await connectSecure({ port, servername, ca });
    equal((await get(secure.client, servername)).status, 200);
    secure.socket.end();
    await secure.client.readAll();
    await gate.record();
  }
  equal(gate.records.map(({ protocol, parent }) => [protocol, parent !== undefined]), [
    ["http", true],
    ["http", true],
  ]);
  equal(gate.requests.map(({ status, id }) => [status, id]), gate.records.map(({ id }) => [200, id]));
  const { ended } = await gate.service.status();
  equal(ended.filter(({ protocol }) => protocol === "tls").map(({ outcome, count }) => [outcome, count]), [[
    "ok",
    2,
  ]]);
});

Deno.test("where TLS ends for requests ALPN answers http/1.1, or refuses; without any it is not needed", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using echo = await listenEcho();
  await using gate = await startGate(yaml(`
    { host: a.example, to: "http://127.0.0.1:${upstream.port}" },
    { host: b.example, tls: terminate, to: "127.0.0.1:${echo.port}" }`));
  const port = gate.port("edge");
  const agreed = async (servername: string, ALPNProtocols?: string[]) => {
    await using client = await connectSecure({ port, servername, ca, ALPNProtocols });
    return client.socket.alpnProtocol;
  };
  equal(await agreed("a.example", ["h2", "http/1.1"]), "http/1.1");
  equal(await agreed("a.example"), false);
  equal(await agreed("b.example", ["x"]), false);
  const refused = await agreed("a.example", ["h2"]).then(String, String);
  ok(/no.?application.?protocol/i.test(refused), refused);
  const { outcome, side } = await gate.record(({ outcome }) => outcome === "unsupported");
  equal([outcome, side], ["unsupported", "client"]);
});

Deno.test("a route for TLS alone sends who asks in clear there, before anything else is asked of it", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(
    yaml(`{ host: a.example, tls: terminate, path: /x, to: "http://127.0.0.1:${upstream.port}" }`),
  );
  const port = gate.port("edge");
  await using clear = await connect(port);
  const answer = await get(clear, "a.example", "/x?q=1");
  equal(answer.status, 308);
  ok(/^Location: https:\/\/a\.example\/x\?q=1\r$/m.test(answer.head), answer.head);
  await clear.write("HEAD /x/y HTTP/1.1\r\nHost: a.example:8443\r\n\r\n");
  ok(/^Location: https:\/\/a\.example:8443\/x\/y\r$/m.test((await readResponse(clear, true)).head));
  equal((await get(clear, "a.example", "/y")).status, 404);
  await using secure = await connectSecure({ port, servername: "a.example", ca });
  equal((await get(secure.client, "a.example", "/x")).content, "/x ");
  await using old = await connect(port);
  await old.write("GET /x HTTP/1.0\r\n\r\n");
  equal((await readResponse(old)).status, 404); // it names nobody
  equal(upstream.peers.length, 1);
  for (const path of ["/x", "/x/y"]) {
    equal((await gate.request((line) => line.path === path && line.status === 308)).outcome, "ok");
  }
});

Deno.test("who is sent to TLS is told what the route says in all its answers", async () => {
  const headers = "responseHeaders: { set: { X-Site: one }, remove: [location] }";
  await using gate = await startGate(yaml(`{ host: a.example, tls: terminate, respond: {}, ${headers} }`));
  await using clear = await connect(gate.port("edge"));
  const { status, head } = await get(clear, "a.example");
  equal([status, /^X-Site: one\r$/m.test(head), /^Location: https:/m.test(head)], [308, true, true]);
});

Deno.test("whose TLS a trusted proxy ended is not sent to TLS again, and others are", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const route = `{ host: a.example, tls: terminate, to: "http://127.0.0.1:${upstream.port}" }`;
  const told: readonly [trusted: string, proto: string, status: number][] = [
    ["127.0.0.1", "https", 200],
    ["127.0.0.1", "http", 308],
    ["127.0.0.1", "", 308],
    ["10.0.0.1", "https", 308],
  ];
  for (const [trusted, proto, status] of told) {
    await using gate = await startGate(yaml(route, "", `, trustedProxies: ${trusted}`));
    await using clear = await connect(gate.port("edge"));
    const fields = proto && `X-Forwarded-Proto: ${proto}\r\n`;
    equal((await get(clear, "a.example", "/", fields)).status, status, `${trusted} ${proto}`);
  }
});

Deno.test("a host whose TLS is passed on gets 421 over TLS that ended for another, and the connection stays", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(yaml(`
    { host: a.example, to: "http://127.0.0.1:${upstream.port}" },
    { host: x.in.example, to: "127.0.0.1:1" },
    { host: "*.in.example", to: "http://127.0.0.1:${upstream.port}" }`));
  await using secure = await connectSecure({ port: gate.port("edge"), servername: "a.example", ca });
  for (const host of ["x.in.example", "X.In.Example", "x.in.example.", "x.in.example:8443"]) {
    equal((await get(secure.client, host)).status, 421, host);
  }
  await secure.client.write("GET http://X.in.example./ HTTP/1.1\r\nHost: a.example\r\n\r\n");
  equal((await readResponse(secure.client)).status, 421);
  equal((await get(secure.client, "y.in.example", "/y")).content, "/y ");
  equal((await get(secure.client, "a.example", "/a")).content, "/a ");
  await using clear = await connect(gate.port("edge"));
  equal((await get(clear, "x.in.example", "/clear")).content, "/clear "); // there TLS is nobody's
  const { outcome, cause } = await gate.request(({ status }) => status === 421);
  equal(outcome, "no-route");
  ok(/passes TLS for "x\.in\.example" on/.test(cause ?? ""), cause);
});

Deno.test("the sources of a route refuse requests inside of TLS, and not the handshake", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(yaml(`
    { host: a.example, path: /inner, sources: "10.0.0.0/8", to: "http://127.0.0.1:${upstream.port}" },
    { host: a.example, to: "http://127.0.0.1:${upstream.port}" }`));
  await using secure = await connectSecure({ port: gate.port("edge"), servername: "a.example", ca });
  equal((await get(secure.client, "a.example", "/inner")).status, 403);
  equal((await get(secure.client, "a.example", "/")).content, "/ ");
});

Deno.test("clients' certificates are asked for where TLS ends for requests", async () => {
  const friend = await authority.issue(["friend.example"]);
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(yaml(
    `{ host: a.example, to: "http://127.0.0.1:${upstream.port}" }`,
    "",
    `, clientCertificates: { ca: "${authority.root.chainFile}" }`,
  ));
  const options = { port: gate.port("edge"), servername: "a.example", ca };
  {
    await using known = await connectSecure({ ...options, cert: friend.chain, key: friend.key });
    equal((await get(known.client, "a.example", "/in")).content, "/in ");
  }
  const refused = await connectSecure(options).then(
    async (client) => {
      await using _client = client;
      return await get(client.client, "a.example").then(() => "served", () => "cut");
    },
    () => "cut",
  );
  equal(refused, "cut");
  equal((await gate.record(({ outcome }) => outcome === "unauthenticated")).protocol, "tls");
});

Deno.test("routes that change between two requests hold for the second, and cut nobody", async () => {
  await using one = await rawUpstream(echoRequests);
  await using two = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo");
  });
  await using gate = await startGate(yaml(`{ host: a.example, to: "http://127.0.0.1:${one.port}" }`));
  await using secure = await connectSecure({ port: gate.port("edge"), servername: "a.example", ca });
  equal((await get(secure.client, "a.example")).content, "/ ");
  await gate.reload(yaml(`{ host: a.example, to: "http://127.0.0.1:${two.port}" }`));
  equal((await get(secure.client, "a.example")).content, "two");
  await gate.reload(
    yaml('{ host: a.example, to: "127.0.0.1:1" }, { to: "http://127.0.0.1:1", host: b.example }'),
  );
  equal((await get(secure.client, "a.example")).status, 421);
});

Deno.test("what the gate answers itself ends TLS as well, and may be for TLS alone", async () => {
  await using gate = await startGate(yaml(`
    { host: a.example, path: /r, tls: terminate, respond: { body: hello } },
    { host: a.example, redirect: { path: /r } }`));
  await using secure = await connectSecure({ port: gate.port("edge"), servername: "a.example", ca });
  equal((await get(secure.client, "a.example", "/r")).content, "hello");
  equal((await get(secure.client, "a.example", "/x")).status, 302);
  await using clear = await connect(gate.port("edge"));
  equal((await get(clear, "a.example", "/r")).status, 308);
});
