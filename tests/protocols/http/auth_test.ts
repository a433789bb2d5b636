/** `auth` of routes, through a gate: what a client has to prove, what it is told, and what goes upstream. */
import { authentication } from "../../../protocols/http/auth.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";
import { fakeConn } from "../../support/fake_gate.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, lengthOf, type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { TestIssuer } from "../../support/issuer.ts";
import { type Client, connect } from "../../support/net.ts";

/** scrypt with N=16 of "secret". */
const HASHED = "scrypt:16:1:1:BwcHBwcHBwcHBwcHBwcHBw:" + await hash();

async function hash(): Promise<string> {
  const { scryptSync } = await import("node:crypto");
  return scryptSync("secret", new Uint8Array(16).fill(7), 32, { N: 16, r: 1, p: 1 }).toString("base64url");
}

const basic = (user: string, password: string): string =>
  `Authorization: Basic ${new TextEncoder().encode(`${user}:${password}`).toBase64()}\r\n`;

/** Answers with the head of the request, as it came. */
async function showHeads(peer: RawPeer): Promise<void> {
  for (;;) {
    const head = await peer.head();
    await peer.content(lengthOf(head));
    peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
  }
}

async function ask(client: Client, fields = "", path = "/", method = "GET") {
  await client.write(`${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`);
  return await readResponse(client, method === "HEAD");
}

const fieldOf = (head: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1];

const gateWith = (port: number, auth: string, more = "", listener = ""): Promise<TestGate> =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http]${listener} } }
routes: [{ to: "http://127.0.0.1:${port}", auth: ${auth} }]
${more}
`);

const USERS = `{ basic: { alice: secret, bob: "${HASHED}", "Łukasz": "zażółć" } }`;

Deno.test("Basic: users with right passwords go on, and the upstream hears who it is, not the password", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, USERS);
  await using client = await connect(gate.port("web"));
  for (const [user, password] of [["alice", "secret"], ["bob", "secret"], ["alice", "secret"]]) {
    const { status, content } = await ask(client, basic(user, password));
    equal([status, fieldOf(content, "X-Forwarded-User"), fieldOf(content, "Authorization")], [
      200,
      user,
      undefined,
    ]);
  }
  const { content } = await ask(client, basic("Łukasz", "zażółć"));
  const told = Uint8Array.from(fieldOf(content, "X-Forwarded-User")!, (sign) => sign.charCodeAt(0));
  equal(new TextDecoder().decode(told), "Łukasz");
  client.end();
  await gate.record();
  equal(gate.requests.map(({ user, status }) => [user, status]), [
    ...[["alice", 200], ["bob", 200], ["alice", 200], ["Łukasz", 200]],
  ]);
});

Deno.test("Basic: who gives nothing, or something wrong, gets one and the same challenge", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, USERS);
  await using client = await connect(gate.port("web"));
  const wrong = [
    "",
    basic("alice", "wrong"),
    basic("bob", "wrong"),
    basic("carol", "secret"),
    basic("constructor", "secret"),
    basic("alice", ""),
    basic("", "secret"),
    basic("Alice", "secret"),
    basic("alice", "secret") + basic("alice", "secret"),
    basic("alice", "secret") + "Authorization: Bearer x\r\n",
    "Authorization: Basic\r\n",
    "Authorization: Basic !!!\r\n",
    "Authorization: Basic YWxpY2U=\r\n",
    "Authorization: Bearer YWxpY2U6c2VjcmV0\r\n",
    "Authorization: Digest username=alice\r\n",
    basic("alice", "secret").replace("Authorization", "Proxy-Authorization"),
    basic("alice", "secret").replace("Authorization", "X-Authorization"),
  ];
  const answers = [];
  for (const fields of wrong) {
    const { status, head, content } = await ask(client, fields);
    answers.push([status, fieldOf(head, "WWW-Authenticate"), content]);
  }
  const challenge = [
    401,
    'Basic realm="ugate", charset="UTF-8"',
    "unauthenticated: A valid user name and password are needed.\n",
  ];
  equal(answers, wrong.map(() => challenge));
  equal((await ask(client, basic("alice", "secret"))).status, 200); // the connection is good for more
  equal(upstream.peers.length, 1);
});

Deno.test("Basic: a source that guesses waits, also with a right password that another source just gave", async () => {
  await using upstream = await rawUpstream(showHeads);
  const trusted = ', trustedProxies: "127.0.0.1"';
  await using gate = await gateWith(upstream.port, USERS, "", trusted);
  await using client = await connect(gate.port("web"));
  const from = (address: string) => `X-Forwarded-For: ${address}\r\n`;
  equal((await ask(client, from("192.0.2.1") + basic("alice", "secret"))).status, 200);
  const statuses = [];
  for (let i = 0; i < 12; i++) {
    statuses.push((await ask(client, from("192.0.2.2") + basic("alice", `guess${i}`))).status);
  }
  equal(statuses, [...Array(10).fill(401), 429, 429]);
  const { status, head } = await ask(client, from("192.0.2.2") + basic("alice", "secret"));
  equal([status, fieldOf(head, "Retry-After")], [429, "3"]);
  equal((await ask(client, from("192.0.2.1") + basic("alice", "secret"))).status, 200);
  equal((await ask(client, from("192.0.2.3") + basic("alice", "secret"))).status, 200);
  ok(
    gate.messages.some((line) => /^192\.0\.2\.2 gave 10 wrong passwords on listener web \(http\)/.test(line)),
  );
});

Deno.test("a password that is another one now is worth nothing, on connections that are there too", async () => {
  await using upstream = await rawUpstream(showHeads);
  const config = (users: string) => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /other, to: "http://127.0.0.1:${upstream.port}", auth: { basic: { alice: other } } }
  - { to: "http://127.0.0.1:${upstream.port}", auth: { basic: ${users} } }
`;
  await using gate = await startGate(config("{ alice: one }"));
  await using client = await connect(gate.port("web"));
  const status = async (password: string, path = "/") =>
    (await ask(client, basic("alice", password), path)).status;
  equal([await status("one"), await status("other"), await status("other", "/other")], [200, 401, 200]);
  await gate.reload(config("{ alice: two }"));
  // Engines hear of it by an order of their own: the request behind it is judged by it.
  equal([await status("one"), await status("two"), await status("one", "/other")], [401, 200, 401]);
});

Deno.test("a realm tells of the path, for browsers keep one password for each", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /admin/, to: "http://127.0.0.1:${upstream.port}", auth: { basic: { alice: x } } }
  - { path: { exact: /x }, to: "http://127.0.0.1:${upstream.port}", auth: { basic: { alice: y } } }
`);
  await using client = await connect(gate.port("web"));
  for (const [path, realm] of [["/admin/x", "ugate /admin"], ["/x", "ugate /x"]]) {
    const { head } = await ask(client, "", path);
    equal(fieldOf(head, "WWW-Authenticate"), `Basic realm="${realm}", charset="UTF-8"`);
  }
});

const TOKENS = (issuer: TestIssuer, more = "") =>
  `{ jwt: { issuer: "${issuer.name}", audiences: [app]${more} } }`;
const ISSUERS = (issuer: TestIssuer) => `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]`;

Deno.test("JWT: a right token goes on with its request, and its sub beside it; it is verified once", async () => {
  await using issuer = await TestIssuer.start();
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, TOKENS(issuer), ISSUERS(issuer));
  await using client = await connect(gate.port("web"));
  const token = await issuer.token(), bearer = `Authorization: Bearer ${token}\r\n`;
  for (let i = 0; i < 3; i++) {
    const { status, content } = await ask(client, bearer);
    equal([status, fieldOf(content, "X-Forwarded-User"), fieldOf(content, "Authorization")], [
      ...[200, "alice", `Bearer ${token}`],
    ]);
  }
  const nameless = await ask(
    client,
    `authorization: BEARER ${await issuer.token({ sub: undefined })}\r\nX-Forwarded-User: root\r\n`,
  );
  equal([nameless.status, fieldOf(nameless.content, "X-Forwarded-User")], [200, undefined]);
  equal(issuer.asked, 1);
  await issuer.addKey("two");
  equal(
    (await ask(client, `Authorization: Bearer ${await issuer.token({ sub: "bob" }, "two")}\r\n`)).status,
    200,
  );
  client.end();
  await gate.record();
  equal(gate.requests.map(({ user }) => user), ["alice", "alice", "alice", undefined, "bob"]);
});

Deno.test("JWT: what is missing, wrong or not enough is told as RFC 6750 says", async () => {
  await using issuer = await TestIssuer.start();
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(
    upstream.port,
    TOKENS(issuer, ", claims: { role: admin }"),
    ISSUERS(issuer),
  );
  await using client = await connect(gate.port("web"));
  const right = await issuer.token({ role: "admin" });
  const invalid = (why: string) =>
    `Bearer realm="ugate", error="invalid_token", error_description="Not accepted: ${why}"`;
  const cases: [fields: string, status: number, challenge: string | undefined][] = [
    ["", 401, 'Bearer realm="ugate"'],
    [basic("alice", "secret"), 401, 'Bearer realm="ugate"'],
    [`Authorization: Bearer ${right}\r\nAuthorization: Bearer ${right}\r\n`, 401, 'Bearer realm="ugate"'],
    [`Cookie: token=${right}\r\n`, 401, 'Bearer realm="ugate"'],
    ["Authorization: Bearer\r\n", 401, invalid("it is malformed")],
    ["Authorization: Bearer a b\r\n", 401, invalid("it is malformed")],
    ["Authorization: Bearer x\r\n", 401, invalid("it is malformed")],
    [`Authorization: Bearer ${"x".repeat(17_000)}\r\n`, 401, invalid("it is malformed")],
    [`Authorization: Bearer ${await issuer.token({ exp: 1 })}\r\n`, 401, invalid("it is expired")],
    [`Authorization: Bearer ${await issuer.token({ exp: 1 })}\r\n`, 401, invalid("it is expired")],
    [`Authorization: Bearer ${await issuer.token({ aud: "x" })}\r\n`, 401, invalid("its aud does not fit")],
    [
      `Authorization: Bearer ${await issuer.token()}\r\n`,
      403,
      'Bearer realm="ugate", error="insufficient_scope"',
    ],
    [`Authorization: Bearer ${right}\r\n`, 200, undefined],
  ];
  for (const [fields, status, challenge] of cases) {
    const { status: got, head } = await ask(client, fields);
    equal([got, fieldOf(head, "WWW-Authenticate")], [status, challenge], fields.slice(0, 200));
  }
  equal((await ask(client, "", `/?access_token=${right}`)).status, 401);
  equal(upstream.peers.length, 1);
});

Deno.test("JWT: while keys were never had the answer is 503, and none of it goes upstream", async () => {
  await using issuer = await TestIssuer.start();
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, TOKENS(issuer), ISSUERS(issuer));
  await using client = await connect(gate.port("web"));
  issuer.answer = () => new Response("no", { status: 500 });
  const { status, head, content } = await ask(client, `Authorization: Bearer ${await issuer.token()}\r\n`);
  equal([status, fieldOf(head, "Retry-After")], [503, "5"]);
  equal(content, "unreachable: Credentials cannot be verified now.\n");
  equal(upstream.peers.length, 0);
  ok(gate.messages.some((line) => line.includes("its tokens cannot be verified")));
});

Deno.test("a reload that changes issuers, audiences or claims judges tokens that were right anew", async () => {
  await using issuer = await TestIssuer.start();
  await using upstream = await rawUpstream(showHeads);
  const config = (audience: string, issuers = ISSUERS(issuer)) => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${upstream.port}", auth: { jwt: { issuer: "${issuer.name}", audiences: [${audience}] } } }]
${issuers}
`;
  await using gate = await startGate(config("app"));
  await using client = await connect(gate.port("web"));
  const bearer = `Authorization: Bearer ${await issuer.token()}\r\n`;
  equal((await ask(client, bearer)).status, 200);
  await gate.reload(config("other"));
  equal((await ask(client, bearer)).status, 401);
  await gate.reload(config("app"));
  equal((await ask(client, bearer)).status, 200);
  equal(issuer.asked, 1); // its keys are kept
  await issuer.addKey("one");
  const elsewhere = `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}?2" }]`;
  await gate.reload(config("app", elsewhere));
  equal([(await ask(client, bearer)).status, issuer.asked], [401, 2]);
});

Deno.test("auth comes before everything: methods, CORS preflights, upgrades, content that waits, odd paths", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { host: a.example, path: /admin, to: "http://127.0.0.1:${upstream.port}", auth: { basic: { alice: x } } }
  - { host: a.example, path: { exact: /one }, to: "http://127.0.0.1:${upstream.port}", auth: { basic: { alice: x } } }
  - { host: a.example, to: "http://127.0.0.1:${upstream.port}" }
`);
  const once = async (line: string, fields = "") => {
    await using client = await connect(gate.port("web"));
    await client.write(`${line}\r\nHost: a.example\r\n${fields}\r\n`);
    return (await readResponse(client, line.startsWith("HEAD"))).status;
  };
  const preflight = "Origin: http://b.example\r\nAccess-Control-Request-Method: GET\r\n";
  equal(await once("OPTIONS /admin HTTP/1.1", preflight), 401);
  for (const method of ["GET", "HEAD", "POST", "DELETE", "TRACE", "PROPFIND", "get"]) {
    equal(await once(`${method} /admin HTTP/1.1`), 401, method);
  }
  equal(await once("GET /admin HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"), 401);
  equal(await once("POST /admin HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n"), 401);
  equal(await once("POST /admin HTTP/1.1", "Transfer-Encoding: chunked\r\n"), 401);
  const same = [
    "/admin/",
    "/admin?x",
    "/%61dmin",
    "/%61%64%6d%69%6E/x",
    "//admin",
    "///admin//x",
    "/admin//",
    "/one",
    "/%6fne",
  ];
  for (const path of same) equal(await once(`GET ${path} HTTP/1.1`), 401, path);
  equal(await once("GET http://a.example/admin HTTP/1.1"), 401);
  equal(await once("GET HTTP://A.EXAMPLE:80//admin HTTP/1.1"), 401);
  const odd = [
    ...[
      "/./admin",
      "/x/../admin",
      "/%2e/admin",
      "/x/%2e%2e/admin",
      "/x/.%2E/admin",
      "/admin%2fx",
      "/x%2f..%2fadmin",
    ],
    ...[
      "/admin%00",
      "/\\admin",
      "/x\\..\\admin",
      "/%5cadmin",
      "/..;/admin",
      "/x/..;a=b/admin",
      "/admin%",
      "/%zzadmin",
    ],
  ];
  for (const path of odd) equal(await once(`GET ${path} HTTP/1.1`), 400, path);
  equal(await once("GET /open HTTP/1.1"), 200);
  equal(upstream.peers.length, 1);
});

Deno.test("claims of an identity never come through, in any spelling, from anybody, in trailers either", async () => {
  await using upstream = await rawUpstream();
  await using gate = await gateWith(upstream.port, USERS, "", ', trustedProxies: "127.0.0.1"');
  await using client = await connect(gate.port("web"));
  const names = [
    ...["X-Forwarded-User", "x_forwarded_user", "X-Forwarded_User", "X-FORWARDED-EMAIL", "X_Forwarded-Email"],
    ...["Remote-User", "REMOTE_USER", "Client-Cert", "client_cert", "Client-Cert-Chain", "CLIENT_CERT_CHAIN"],
    ...["X-Forwarded-Client-Cert", "X_Forwarded_Client_Cert", "Client-Cert-Anything"],
  ];
  const claims = names.map((name) => `${name}: root\r\n`).join("");
  await client.write(
    `POST / HTTP/1.1\r\nHost: a.example\r\n${basic("alice", "secret")}${claims}` +
      `Connection: X-Forwarded-For\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${claims}X-Fine: 1\r\n\r\n`,
  );
  const peer = await upstream.next(), head = await peer.head();
  await peer.until(({ text }) => text.endsWith("\r\n\r\n"));
  equal((head + peer.text).match(/root/g), null);
  equal(head.match(/^(?!user-agent)[\w-]*(?:user|email|cert)[\w-]*:.*$/gim), ["X-Forwarded-User: alice"]);
  ok(peer.text.includes("X-Fine: 1"));
});

Deno.test("a route without auth tells of no user, whatever was proven for another request", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /in, to: "http://127.0.0.1:${upstream.port}", auth: { basic: { alice: secret } } }
  - { to: "http://127.0.0.1:${upstream.port}" }
`);
  await using client = await connect(gate.port("web"));
  const told = async (path: string) => {
    const { content } = await ask(client, basic("alice", "secret"), path);
    return [fieldOf(content, "X-Forwarded-User"), fieldOf(content, "Authorization") !== undefined];
  };
  equal([await told("/in"), await told("/out"), await told("/in")], [
    ...[["alice", false], [undefined, true], ["alice", false]],
  ]);
});

Deno.test("files are behind auth as targets are", async () => {
  await using folder = await Folder.make();
  await folder.write("a.txt", "content");
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ files: "${folder.path}", auth: { basic: { alice: secret } } }]
`);
  await using client = await connect(gate.port("web"));
  const status = async (fields: string, path = "/a.txt") => (await ask(client, fields, path)).status;
  equal([await status(""), await status("", "/none"), await status(basic("alice", "x"))], [401, 401, 401]);
  equal([await status(basic("alice", "secret")), await status(basic("alice", "secret"), "/none")], [
    200,
    404,
  ]);
});

Deno.test("a password is remembered by a connection for the source that gave it, whoever comes next", async () => {
  await using upstream = await rawUpstream(showHeads);
  await using gate = await gateWith(upstream.port, USERS, "", ', trustedProxies: "127.0.0.1"');
  await using client = await connect(gate.port("web"));
  const said = basic("bob", "secret");
  for (const [from, user] of [["192.0.2.1", "bob"], ["192.0.2.2", "bob"], ["192.0.2.1", "bob"]]) {
    const { content } = await ask(client, `X-Forwarded-For: ${from}\r\n${said}`);
    equal(fieldOf(content, "X-Forwarded-User"), user);
  }
  equal((await ask(client, "X-Forwarded-For: 192.0.2.1\r\n")).status, 401);
  const { content } = await ask(client, `X-Forwarded-For: 192.0.2.1\r\n${basic("alice", "secret")}`);
  equal(fieldOf(content, "X-Forwarded-User"), "alice");
});

Deno.test("redirects and fixed answers are behind auth, too", async () => {
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /moved, redirect: { path: /new }, auth: { basic: { alice: secret } } }
  - { path: /fixed, respond: { status: 200, body: hidden }, auth: { basic: { alice: secret } } }
`);
  await using client = await connect(gate.port("web"));
  const answer = async (path: string, fields = "") => {
    const { status, head, content } = await ask(client, fields, path);
    return [status, fieldOf(head, "Location") !== undefined, content.includes("hidden")];
  };
  const given = basic("alice", "secret");
  equal([await answer("/moved"), await answer("/fixed")], [[401, false, false], [401, false, false]]);
  equal([await answer("/moved", given), await answer("/fixed", given)], [[302, true, false], [
    200,
    false,
    true,
  ]]);
});

Deno.test("a certificate that has expired since its handshake is worth nothing, on the same connection", () => {
  const admit = (notAfter: number) => {
    const clientCertificate = { fingerprint: "", der: new Uint8Array(9), notAfter };
    const conn = {
      ...fakeConn(null as never),
      peer: { address: "192.0.2.1", layers: [], clientCertificate },
    };
    authentication({ certificate: true }).admit({ conn } as never);
    return conn.proven;
  };
  ok(admit(Date.now() + 60_000));
  throws(() => admit(Date.now() - 1), /its certificate has expired$/);
});
