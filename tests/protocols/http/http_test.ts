import type { Failure } from "../../../gate/errors.ts";
import { protocols } from "../../../protocols/mod.ts";
import { dateLine } from "../../../protocols/http/date.ts";
import { conformProtocol, serve } from "../../conformance/protocol.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { LIMITS } from "../../support/fake_gate.ts";
import { readAll } from "../../support/memory_stream.ts";
import { firstBytes } from "../../support/real_client.ts";

const { http } = protocols;
const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const NONE = new Uint8Array(0);
const PREFACE = latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
const curl = (...args: string[]) => ({
  program: "curl",
  args: (port: string) => ["-s", ...args, `http://127.0.0.1:${port}/path`],
});
const real = await firstBytes({
  "curl": curl(),
  "curl's POST": curl("-d", "x=1"),
  "curl's OPTIONS *": curl("-X", "OPTIONS", "--request-target", "*"),
  "curl with a URL for a proxy": {
    program: "curl",
    args: (port) => ["-sx", `127.0.0.1:${port}`, "http://a.example/"],
  },
  "curl with HTTP/2": curl("--http2-prior-knowledge"),
});

const answered = (status: string, body: string, fields = "") =>
  latin1(
    `HTTP/1.1 ${status}\r\n${dateLine()}\r\nContent-Type: text/plain; charset=utf-8\r\n${fields}Content-Length: ${
      body.length + 1
    }\r\n` +
      `Connection: close\r\n\r\n${body}\n`,
  );
const REFUSED: Record<Failure, Uint8Array> = {
  malformed: answered("400 Bad Request", "malformed: The request cannot be understood."),
  unsupported: answered(
    "501 Not Implemented",
    "unsupported: The request asks for something that is not served here.",
  ),
  unauthenticated: answered("403 Forbidden", "unauthenticated: A valid user name and password are needed."),
  denied: answered("403 Forbidden", "denied: The request is not allowed."),
  "no-route": answered("404 Not Found", "no-route: Nothing is served here under this name and path."),
  refused: answered("502 Bad Gateway", "refused: The destination refused the connection."),
  unreachable: answered("502 Bad Gateway", "unreachable: The destination cannot be reached."),
  timeout: answered("504 Gateway Timeout", "timeout: The destination did not answer in time."),
  reset: answered("502 Bad Gateway", "reset: The destination cut the connection."),
  closed: answered("502 Bad Gateway", "closed: The destination closed the connection."),
  exhausted: answered(
    "503 Service Unavailable",
    "exhausted: There is no room for this now: come again later.",
    "Retry-After: 5\r\n",
  ),
  internal: answered("500 Internal Server Error", "internal: The gateway made a mistake."),
};

conformProtocol("http", http, {
  samples: {
    ...real,
    "a request": latin1("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    "a request with a strange method": latin1("M-SEARCH * HTTP/1.1\r\n"),
    "an absolute-form request": latin1("GET http://a.example/ HTTP/1.1\r\n"),
    "an HTTP/2 preface": PREFACE,
  },
  others: protocols,
  served: {
    request: latin1("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    greeted: NONE,
    granted: NONE,
    passedOn: true,
    refused: REFUSED,
  },
});

Deno.test("lines of other protocols are no HTTP", () => {
  for (
    const line of [
      "SSH-2.0-OpenSSH_9.2p1 Debian-2 /\r\n",
      "EHLO a.example\r\n",
      "USER anonymous\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
      "CONNECT a.example:443 HTTP/1.1\r\n",
      "GET a.example HTTP/1.1\r\n",
      "GET /".padStart(40, "X"),
      " GET /",
      "\r\nGET /",
    ]
  ) {
    equal(http.sniff!(latin1(line)), false, line);
  }
});

/** What comes of this request: what the gate was asked, or what the client was told. */
async function outcome(request: string, limits = LIMITS) {
  const { client, conn, gate, serving } = serve(http, {}, { limits });
  await client.write(latin1(request));
  const failure: Failure = await serving.then(() => undefined, (thrown) => thrown.failure);
  conn.stream[Symbol.dispose]();
  return { asked: gate.asked, answer: text(await readAll(client)), failure };
}

Deno.test("the first request's Host is asked for; HTTP/2 in clear asks for nothing", async () => {
  equal((await outcome("GET / HTTP/1.1\r\nHost: A.example:81\r\n\r\n")).asked, [{
    host: "a.example",
    port: 81,
  }]);
  equal((await outcome("GET http://b.example/ HTTP/1.1\r\nHost: a\r\n\r\n")).asked, [{
    host: "b.example",
    port: 80,
  }]);
  equal((await outcome("GET / HTTP/1.0\r\n\r\n")).asked, [undefined]);
  equal((await outcome(text(PREFACE))).asked, [undefined]);
});

Deno.test("a preface in pieces is no request, a request that begins like it is one", async () => {
  const { client, gate, serving } = serve(http, {});
  for (const byte of PREFACE.subarray(0, 24)) await client.write(Uint8Array.of(byte));
  await fails(serving, "no-route");
  equal(gate.asked, [undefined]);
  equal((await outcome("PRI / HTTP/1.0\r\n\r\n")).asked, [undefined]);
});

Deno.test("what cannot be read gets 400, what is too large 431, an unknown version 505, and nobody is asked", async () => {
  const cases: [request: string, status: number, failure: Failure][] = [
    ["GET / HTTP/1.1\r\n\r\n", 400, "malformed"],
    ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed"],
    ["GET / HTTP/1.1\nHost: a\n\n", 400, "malformed"],
    ["GET / HTTP/1.1\r\nHost: 1.2.3.999\r\n\r\n", 400, "malformed"],
    ["GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 400, "malformed"],
    [`GET /${"a".repeat(3000)}`, 414, "malformed"],
    [`GET / HTTP/1.1\r\nHost: ${"a".repeat(3000)}`, 431, "malformed"],
    ["GET / HTTP/1.7\r\nHost: a\r\n\r\n", 505, "unsupported"],
  ];
  for (const [request, status, failure] of cases) {
    const { asked, answer, failure: failed } = await outcome(request, { ...LIMITS, headSize: 1024 });
    equal([asked, failed, answer.slice(0, 13)], [[], failure, `HTTP/1.1 ${status} `]);
  }
});

Deno.test("a refusal of HEAD has no body", async () => {
  const { answer } = await outcome("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  ok(answer.startsWith("HTTP/1.1 404 ") && answer.endsWith("\r\n\r\n"));
});
