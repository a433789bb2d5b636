/** What a route changes on the way, and what it answers itself, through a real gate with raw peers. */
import { readRequestField, readResponseField } from "../../../gate/config/http_texts.ts";
import { Mistake } from "../../../gate/config/scalars.ts";
import {
  isForwardingClaim,
  isHopByHop,
  isIdentityClaim,
  KIND,
  kindOf,
} from "../../../protocols/http/field_kinds.ts";
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { latin1 } from "../../support/http_codec.ts";
import { type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

const gateWith = (route: string) =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [${route}]
limits: { idleTimeout: 10s }
`);
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Answers everything with `ok`, and keeps the heads. */
async function keepHeads(peer: RawPeer, heads: string[], answer = OK): Promise<void> {
  for (;;) {
    heads.push(await peer.head());
    peer.write(answer);
  }
}

const firstLine = (head: string): string => head.slice(0, head.indexOf("\r\n"));
/** The values of a field, in their order. */
const valuesOf = (head: string, name: string): string[] =>
  Array.from(head.matchAll(new RegExp(`^${name}: (.*)\r$`, "gim")), ([, value]) => value);

/** `path` of the route, its rewrite, and for each target what goes up. */
const REWRITTEN: readonly (readonly [path: string, by: string, ...(readonly [string, string])[]])[] = [
  [
    "/api",
    "/v2",
    ["/api/x?y=/api", "/v2/x?y=/api"],
    ["/api", "/v2"],
    ["/api?a?b", "/v2?a?b"],
    ["/%61pi/%78?%61", "/v2/%78?%61"],
    ["//a%70i//x", "/v2//x"],
    ["http://a.example/api/x?y", "/v2/x?y"],
  ],
  ["/api", "/", ["/api/x", "/x"], ["/api//x", "/x"], ["/api", "/"], ["/api?x", "/?x"], ["/api/", "/"]],
  ["/", "/v2/", ["/x", "/v2/x"], ["/", "/v2/"], ["//x", "/v2//x"], ["http://a.example?q", "/v2/?q"]],
  ["{ exact: /old }", "/new/", ["/old?x", "/new/?x"], ["/%6Fld", "/new/"]],
];

Deno.test("the path that goes up has another prefix, and the rest as it came", async () => {
  const heads: string[] = [];
  await using upstream = await rawUpstream((peer) => keepHeads(peer, heads));
  for (const [path, by, ...targets] of REWRITTEN) {
    await using gate = await gateWith(
      `{ path: ${path}, to: "http://127.0.0.1:${upstream.port}", rewrite: { path: ${by} } }`,
    );
    await using client = await connect(gate.port("web"));
    for (const [target, expected] of targets) {
      await client.write(`GET ${target} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
      equal((await readResponse(client)).content, "ok");
      equal(firstLine(heads.at(-1)!), `GET ${expected} HTTP/1.1`, `${path} to ${by}`);
    }
  }
});

Deno.test("a route without a path rewrites all of it, but the whole server's asterisk", async () => {
  const heads: string[] = [];
  await using upstream = await rawUpstream((peer) => keepHeads(peer, heads));
  await using gate = await gateWith(`{ to: "http://127.0.0.1:${upstream.port}", rewrite: { path: /one } }`);
  await using client = await connect(gate.port("web"));
  for (const [first, expected] of [["GET /x/../y?z", "GET /one?z"], ["OPTIONS *", "OPTIONS *"]]) {
    await client.write(`${first} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await readResponse(client);
    equal(firstLine(heads.at(-1)!), `${expected} HTTP/1.1`);
  }
  client.end();
  await gate.record();
  equal(gate.requests.map(({ path }) => path), ["/x/../y", "*"]);
});

Deno.test("the Host that goes up is another one, and X-Forwarded-Host tells the client's", async () => {
  const heads: string[] = [];
  await using upstream = await rawUpstream((peer) => keepHeads(peer, heads));
  await using gate = await gateWith(
    `{ to: "http://127.0.0.1:${upstream.port}", rewrite: { host: "in.example:81" } }`,
  );
  await using client = await connect(gate.port("web"));
  for (
    const first of [
      "GET / HTTP/1.1\r\nHost:  a.example \r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost: b\r\n",
    ]
  ) {
    await client.write(`${first}\r\n`);
    await readResponse(client);
    equal(valuesOf(heads.at(-1)!, "host"), ["in.example:81"]);
    equal(valuesOf(heads.at(-1)!, "x-forwarded-host"), ["a.example"]);
  }
});

Deno.test("headers are removed, set and added, on the way up and on the way back", async () => {
  const heads: string[] = [];
  await using upstream = await rawUpstream((peer) =>
    keepHeads(
      peer,
      heads,
      "HTTP/1.1 103 Early Hints\r\nServer: x\r\n\r\n" +
        "HTTP/1.1 500 Oh\r\nServer: x\r\nserver: y\r\nVary: a\r\nSet-Cookie: a\r\nContent-Length: 0\r\n\r\n",
    )
  );
  await using gate = await gateWith(`{
    to: "http://127.0.0.1:${upstream.port}",
    requestHeaders: { remove: [COOKIE, X-None], set: { X-Set: "new", User-Agent: "" }, add: { accept: b, X-Set: two } },
    responseHeaders: { remove: [Server], set: { vary: "*" }, add: { Set-Cookie: "b=\\"é\\"" } },
  }`);
  await using client = await connect(gate.port("web"));
  await client.write(
    "GET / HTTP/1.1\r\nHost: a\r\nCookie: a\r\ncookie: b\r\nx-set: 1\r\nX-SET: 2\r\nAccept: a\r\nUser-Agent: x\r\n\r\n",
  );
  const interim = await readResponse(client);
  equal([interim.status, valuesOf(interim.head, "server")], [103, ["x"]]);
  const { status, head } = await readResponse(client);
  const [up] = heads;
  equal(["cookie", "x-set", "accept", "user-agent"].map((name) => valuesOf(up, name)), [
    ...[[], ["new", "two"], ["a", "b"], [""]],
  ]);
  equal(valuesOf(up, "x-forwarded-for"), ["127.0.0.1"]);
  const cookie = latin1('b="é"').length === 5 ? 'b="Ã©"' : "";
  equal([status, ...["server", "vary", "set-cookie"].map((name) => valuesOf(head, name))], [
    ...[500, [], ["*"], ["a", cookie]],
  ]);
});

Deno.test("what a route sets and removes is nobody else's to say: not with `_` for `-`, nor in trailers", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    const head = await peer.head();
    await peer.until(({ received }) => received.includes("\r\n\r\n"));
    const seen = head + peer.take(peer.received.length);
    peer.write(
      `HTTP/1.1 200 OK\r\nX_Ours: theirs\r\nTransfer-Encoding: chunked\r\n\r\n${
        seen.length.toString(16)
      }\r\n${seen}\r\n` +
        "0\r\nX-Theirs: yes\r\nX-Ours: theirs\r\nx_gone: theirs\r\n\r\n",
    );
  });
  const changes = (name: string) =>
    `${name}: { set: { X-Ours: ours }, add: { X-Added: ours }, remove: [X-Gone] }`;
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${upstream.port}", ${changes("requestHeaders")}, ${
    changes("responseHeaders")
  } }]
admin: { address: off }
`);
  await using client = await connect(gate.port("web"));
  await client.write(
    "POST / HTTP/1.1\r\nHost: a\r\nX_OURS: theirs\r\nX_gone: theirs\r\nConnection: close\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Theirs: yes\r\nx-ours: theirs\r\nX_Gone: theirs\r\nX-Added: theirs\r\n\r\n",
  );
  const all = new TextDecoder().decode(await client.readAll());
  equal(all.match(/^x.(?:ours|gone|added|theirs): .*$/gim), [
    ...["X-Ours: ours", "X-Added: ours"], // of the response's head
    ...["X-Ours: ours", "X-Added: ours", "X-Theirs: yes", "X-Added: theirs"], // what the upstream got
    ...["X-Theirs: yes"],
  ]);
});

Deno.test("what is set for the backend is not to be read by TRACE, which goes on where nothing is", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const head = await peer.head();
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
    }
  });
  const to = `to: "http://127.0.0.1:${upstream.port}"`;
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /secret, ${to}, requestHeaders: { set: { Authorization: "Bearer secret" } } }
  - { path: /less, ${to}, requestHeaders: { remove: [X-Own] } }
  - { ${to} }
admin: { address: off }
`);
  for (const [path, status] of [["/secret", 403], ["/less", 200], ["/", 200]] as const) {
    await using client = await connect(gate.port("web"));
    await client.write(`TRACE ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const answer = await readResponse(client);
    equal([answer.status, answer.content.includes("Bearer secret")], [status, false], path);
  }
});

Deno.test("headers of an upgrade change too, both ways, and it is one all the same", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    const head = await peer.head();
    equal([valuesOf(head, "x-new"), valuesOf(head, "upgrade"), valuesOf(head, "origin")], [["1"], ["x"], []]);
    peer.write("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\nServer: x\r\n\r\nhello");
    equal(await peer.content(2), "hi");
    peer.socket.end();
  });
  await using gate = await gateWith(`{
    to: "http://127.0.0.1:${upstream.port}",
    requestHeaders: { set: { X-New: "1" }, remove: [Origin] },
    responseHeaders: { set: { Server: me } },
  }`);
  await using client = await connect(gate.port("web"));
  await client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nOrigin: y\r\n\r\n");
  const { status, head } = await readResponse(client);
  equal([status, valuesOf(head, "server"), valuesOf(head, "connection")], [101, ["me"], ["upgrade"]]);
  equal(new TextDecoder().decode(await client.read(5)), "hello");
  await client.write("hi");
  equal((await client.readAll()).length, 0);
});

Deno.test("a fixed answer is given to everybody, to HEAD without its content", async () => {
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /plain, respond: { body: "héllo\\n" } }
  - { path: /json, respond: { status: 299, headers: { content-type: application/json, X-A: b }, body: "{}" } }
  - { path: /gone, respond: { status: 410 }, responseHeaders: { set: { Cache-Control: no-store }, remove: [X-B] } }
  - { path: /none, respond: { status: 204, headers: { X-A: b } } }
  - { path: /same, respond: { status: 304 } }
  - { path: /reset, respond: { status: 205 } }
  - { respond: { status: 404, headers: { X-B: c }, body: no }, responseHeaders: { remove: [x-b, CONTENT-TYPE] } }
`);
  const expected: Record<string, [status: number, content: string, head: RegExp]> = {
    "/plain": [
      200,
      "hÃ©llo\n",
      /^HTTP\/1\.1 200 OK\r\nDate: .*\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\n$/,
    ],
    "/json": [
      299,
      "{}",
      /^HTTP\/1\.1 299 \r\nDate: .*\r\ncontent-type: application\/json\r\nX-A: b\r\nContent-Length: 2\r\n\r\n$/,
    ],
    "/gone": [
      410,
      "",
      /^HTTP\/1\.1 410 Gone\r\nDate: .*\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n$/,
    ],
    "/none": [204, "", /^HTTP\/1\.1 204 No Content\r\nDate: .*\r\nX-A: b\r\n\r\n$/],
    "/same": [304, "", /^HTTP\/1\.1 304 Not Modified\r\nDate: .*\r\n\r\n$/],
    "/reset": [205, "", /^HTTP\/1\.1 205 Reset Content\r\nDate: .*\r\nContent-Length: 0\r\n\r\n$/],
    "/else": [404, "no", /^HTTP\/1\.1 404 Not Found\r\nDate: .*\r\nContent-Length: 2\r\n\r\n$/],
  };
  await using client = await connect(gate.port("web"));
  for (const [path, [status, content, head]] of Object.entries(expected)) {
    for (const method of ["GET", "HEAD", "DELETE"]) {
      await client.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const response = await readResponse(client, method === "HEAD");
      equal(
        [response.status, response.content],
        [status, method === "HEAD" ? "" : content],
        `${method} ${path}`,
      );
      ok(head.test(response.head), response.head);
    }
  }
  client.end();
  equal((await gate.record()).outcome, "ok");
  const [line] = gate.requests;
  equal([line.status, line.endpoint, line.down, line.outcome], [200, undefined, 0, "ok"]);
  ok(line.route!.includes("routes[0]"));
});

Deno.test("what fails is not what the route answers: its headers do not hold for the gate's own refusals", async () => {
  const closed = await rawUpstream(), { port } = closed;
  await closed[Symbol.asyncDispose]();
  await using gate = await gateWith(
    `{ to: "http://127.0.0.1:${port}", responseHeaders: { set: { Cache-Control: max-age=9 } } }`,
  );
  await using client = await connect(gate.port("web"));
  await client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const { status, head } = await readResponse(client);
  equal([status, valuesOf(head, "cache-control")], [502, []]);
});

Deno.test("every field that ends at this hop or claims who asks is one that no route may write", () => {
  const names = [
    ...[
      "connection",
      "keep-alive",
      "proxy-connection",
      "te",
      "transfer-encoding",
      "upgrade",
      "http2-settings",
    ],
    ...[
      "transfer_encoding",
      "content_length",
      "x-forwarded-client-cert",
      "x-forwarded-user",
      "x-forwarded-email",
    ],
    ...["remote-user", "client-cert", "client-cert-x", "remote_user", "forwarded", "x-forwarded-for"],
    ...["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-x", "x-real-ip"],
  ];
  const kinds = new Set<number>();
  for (const name of names) {
    const kind = kindOf(latin1(name), 0, name.length);
    kinds.add(kind);
    ok(isHopByHop(kind) || isIdentityClaim(kind) || isForwardingClaim(kind), name);
    ok(readRequestField(name) instanceof Mistake, name);
    equal(readResponseField(name) instanceof Mistake, isHopByHop(kind), name);
  }
  for (const [name, kind] of Object.entries(KIND)) {
    if (isHopByHop(kind) || isIdentityClaim(kind) || isForwardingClaim(kind)) ok(kinds.has(kind), name);
  }
});
