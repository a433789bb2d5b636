/** What a person reads in the gate's own answers: why, in a sentence, what to do, and nothing of the inside. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { startGate } from "../../support/gate.ts";
import { rawUpstream, type ReadResponse, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";
import { connectSecure } from "../../support/tls_clients.ts";

const authority = await Authority.make("answers");
const site = await authority.issue(["a.example"]);
openssl(); // it stays open: not in a test

/** Its targets have ports and names that nobody is to read anywhere. */
const yaml = (port: number, closed: number) => `
listeners:
  web: { address: "127.0.0.1:0", protocols: [http] }
  edge: { address: "127.0.0.1:0", protocols: [tls, http], clientCertificates: { ca: "${site.chainFile}", require: false } }
  proxy: { address: "127.0.0.1:0", protocols: [connect, http], users: { alice: secret } }
routes:
  - { host: passed.example, to: "127.0.0.1:${closed}" }
  - { host: a.example, listener: edge, path: /certificate, to: "http://127.0.0.1:${port}", auth: { certificate: true } }
  - { host: a.example, path: /password, to: "http://127.0.0.1:${port}", auth: { basic: { alice: secret } } }
  - { host: a.example, path: /token, to: "http://127.0.0.1:${port}", auth: { jwt: { issuer: "https://login.example", audiences: [a] } } }
  - { host: a.example, path: /sources, sources: [192.0.2.0/24], to: "http://127.0.0.1:${port}" }
  - { host: a.example, path: /files, files: "${authority.folder.path}" }
  - { host: a.example, path: /limited, respond: { status: 204 }, rateLimit: { requests: 1, per: 1h } }
  - { host: a.example, path: /closed, to: "http://127.0.0.1:${closed}" }
  - { host: a.example, path: /unknown, to: "http://internal-name.invalid:80" }
  - { host: a.example, path: /exact, tls: terminate, respond: { status: 200 } }
  - { host: a.example, to: "http://127.0.0.1:${port}", bodySize: 1KiB, timeout: 300ms }
issuers: [{ issuer: "https://login.example", jwks: "https://127.0.0.1:${closed}/internal-keys" }]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
discovery: [file]
limits: { headTimeout: 300ms, bodyTimeout: 300ms, headSize: 4KiB }
`;

interface Case {
  /** The first line without the version. */
  readonly line?: string;
  readonly fields?: string;
  /** In place of both. */
  readonly raw?: string;
  readonly listener?: string;
  readonly status: number;
  readonly says: RegExp;
  /** A line of the head. */
  readonly head?: RegExp;
  /** The connection ends behind it. */
  readonly closes?: true;
}

const CASES: Readonly<Record<string, Case>> = {
  "no Host": {
    raw: "GET / HTTP/1.1\r\n\r\n",
    status: 400,
    says: /^malformed: .* understood: no Host\.$/,
    closes: true,
  },
  "bare line feeds": {
    raw: "GET / HTTP/1.1\nHost: a\n\n",
    status: 400,
    says: /: a line ends with LF alone\.$/,
    closes: true,
  },
  "a path of several readings": {
    ...{ line: "GET /x/../password", status: 400 },
    says: /^malformed: .*: its path can be read in several ways\.$/,
  },
  "no password": {
    ...{
      line: "GET /password",
      status: 401,
      says: /^unauthenticated: A valid user name and password are needed\.$/,
    },
    head: /^WWW-Authenticate: Basic realm="ugate \/password"/m,
  },
  "no token": {
    ...{ line: "GET /token", status: 401, says: /^unauthenticated: A bearer token is needed\.$/ },
    head: /^WWW-Authenticate: Bearer realm="ugate"\r$/m,
  },
  "a token whose keys cannot be had": {
    ...{ line: "GET /token", fields: `Authorization: Bearer ${tokenOf()}\r\n`, status: 503 },
    ...{ says: /^unreachable: Credentials cannot be verified now\.$/, head: /^Retry-After: 5\r$/m },
  },
  "another source": { line: "GET /sources", status: 403, says: /^denied: The request is not allowed\.$/ },
  "no client certificate": {
    ...{ line: "GET /certificate", listener: "edge", status: 403 },
    says: /^denied: The request is not allowed: a client certificate is needed\.$/,
  },
  "no route": {
    line: "GET /",
    fields: "Host: b.example\r\n",
    status: 404,
    says: /^no-route: Nothing is served here/,
  },
  "no file": { line: "GET /files/none", status: 404, says: /^no-route: There is no such file\.$/ },
  "a method that is not for files": {
    ...{ line: "DELETE /files/x", status: 405, says: /^unsupported: This method is not allowed here\.$/ },
    head: /^Allow: GET, HEAD\r$/m,
  },
  "no login at a proxy": {
    ...{
      line: "GET http://a.example/",
      listener: "proxy",
      status: 407,
      says: /^unauthenticated: A valid user name/,
    },
    head: /^Proxy-Authenticate: Basic realm="ugate"/m,
  },
  "a slow head": {
    raw: "GET / HTTP/1.1\r\nHost: a",
    status: 408,
    says: /^timeout: The request did not come in time\.$/,
    closes: true,
  },
  "slow content": {
    ...{ line: "POST /", fields: "Content-Length: 100\r\n", status: 408, closes: true },
    says: /^timeout: The request did not come in time\.$/,
  },
  "too much content": {
    ...{ line: "POST /", fields: "Content-Length: 70000\r\n", status: 413, closes: true },
    says: /^malformed: The request has more content than is allowed here: at most 1024 bytes\.$/,
  },
  "a long target": {
    ...{ raw: `GET /${"a".repeat(5000)}`, status: 414, closes: true },
    says: /^malformed: The URL of the request is too long\.$/,
  },
  "a host whose TLS is passed on": {
    ...{ line: "GET /", listener: "edge", fields: "Host: passed.example\r\n", status: 421 },
    says: /^no-route: This connection is for another host: ask again on one of its own\.$/,
  },
  "too many requests": {
    ...{ line: "GET /limited", status: 429, head: /^Retry-After: \d+\r$/m },
    says: /^exhausted: There were too many requests: come again in \d+ s\.$/,
  },
  "a long head": {
    ...{ raw: `GET / HTTP/1.1\r\nX: ${"a".repeat(5000)}`, status: 431, closes: true },
    says: /^malformed: The head of the request is too large\.$/,
  },
  "an unknown coding": {
    ...{ line: "POST /", fields: "Transfer-Encoding: gzip, chunked\r\n", status: 501, closes: true },
    says: /^unsupported: .* not served here: a Transfer-Encoding other than chunked\.$/,
  },
  "https:// at a proxy": {
    ...{ line: "GET https://a.example/", listener: "proxy", status: 501 },
    ...{ fields: `Proxy-Authorization: Basic ${btoa("alice:secret")}\r\n` },
    says: /^unsupported: .*: https:\/\/ goes through CONNECT\.$/,
  },
  "a target that refuses": {
    line: "GET /closed",
    status: 502,
    says: /^refused: The destination refused the connection\.$/,
  },
  "a target that nobody knows": {
    line: "GET /unknown",
    status: 502,
    says: /^no-route: Nobody here knows this destination\.$/,
  },
  "a target that says no HTTP": {
    line: "GET /garbage",
    status: 502,
    says: /^malformed: The destination gave no answer that can be understood\.$/,
  },
  "a target that is silent": {
    line: "GET /silent",
    status: 504,
    says: /^timeout: The destination did not answer in time\.$/,
  },
  "another version": {
    raw: "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    status: 505,
    says: /: an HTTP version other than 1\.0 and 1\.1\.$/,
    closes: true,
  },
};

/** Of a key that nobody can have. */
function tokenOf(): string {
  const part = (value: object) => btoa(JSON.stringify(value)).replace(/=+$/, "");
  return `${part({ alg: "ES256", kid: "1" })}.${part({ iss: "https://login.example", aud: "a", exp: 4e9 })}.${
    "A".repeat(86)
  }`;
}

async function ask(ports: (listener: string) => number, { raw, line, fields = "", listener = "web" }: Case) {
  const host = /^host:/im.test(fields) ? "" : "Host: a.example\r\n";
  const text = raw ?? `${line} HTTP/1.1\r\n${host}${fields}\r\n`;
  const port = ports(listener);
  if (listener === "edge") {
    await using secure = await connectSecure({ port, servername: "a.example", ca: authority.root.chain });
    await secure.client.write(text);
    return { response: await readResponse(secure.client), ended: false };
  }
  await using client = await connect(port);
  await client.write(text);
  const response = await readResponse(client);
  return {
    response,
    ended: /^connection: close\r$/im.test(response.head) && (await client.readAll()).length === 0,
  };
}

function reads({ head, content, status }: ReadResponse): string {
  ok(/^Date: .* GMT\r$/m.test(head), head);
  ok(/^Content-Type: text\/plain; charset=utf-8\r$/m.test(head), head);
  ok(content.length < 150 && content.endsWith(".\n"), content);
  for (const inside of [/127\.0\.0\.1/, /internal/, /routes\[/, /\.yaml/, /node_modules|\.ts\b/]) {
    ok(!inside.test(head + content) || status === 401, `${inside} in ${head}${content}`);
  }
  return content.trimEnd();
}

Deno.test("every answer of the gate's own says why in a sentence, with the right headers, and nothing of the inside", async (test) => {
  await using upstream = await rawUpstream(async (peer) => {
    if ((await peer.head()).includes("/garbage")) peer.write("no HTTP\r\n\r\n");
  });
  const gone = await rawUpstream();
  await gone[Symbol.asyncDispose]();
  await using gate = await startGate(yaml(upstream.port, gone.port));
  const ports = (listener: string) => gate.port(listener);
  await ask(ports, { line: "GET /limited", status: 204, says: /^$/ });
  for (const [what, one] of Object.entries(CASES)) {
    await test.step(what, async () => {
      const { response, ended } = await ask(ports, one);
      equal(response.status, one.status, response.head);
      const text = reads(response);
      ok(one.says.test(text), text);
      ok(!one.head || one.head.test(response.head), response.head);
      equal(ended, one.closes ?? false, `ended: ${response.head}`);
    });
  }
});
