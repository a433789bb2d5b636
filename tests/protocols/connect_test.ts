import type { Target } from "../../gate/address.ts";
import { type Failure, GateError } from "../../gate/errors.ts";
import { protocols } from "../../protocols/mod.ts";
import { dateLine } from "../../protocols/http/date.ts";
import { conformProtocol, serve } from "../conformance/protocol.ts";
import { equal, fails, ok } from "../support/assert.ts";
import { LIMITS } from "../support/fake_gate.ts";
import { memoryPair, type MemoryStream, readAll, readExactly } from "../support/memory_stream.ts";
import { NO_KEYS } from "../support/no_keys.ts";
import { firstBytes } from "../support/real_client.ts";

const { connect, http } = protocols;
const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const REQUEST = "CONNECT A.example:443 HTTP/1.1\r\nHost: A.example:443\r\nUser-Agent: x\r\n\r\n";
const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";
const CHALLENGE = 'Proxy-Authenticate: Basic realm="ugate", charset="UTF-8"\r\n';
const real = await firstBytes({
  "curl": { program: "curl", args: (port) => ["-sx", `http://127.0.0.1:${port}`, "https://a.example/"] },
  "nc": { program: "nc", args: (port) => ["-X", "connect", "-x", `127.0.0.1:${port}`, "a.example", "22"] },
});

const answered = (status: string, body: string, fields = "") =>
  latin1(
    `HTTP/1.1 ${status}\r\n${dateLine()}\r\nContent-Type: text/plain; charset=utf-8\r\n${fields}` +
      `Content-Length: ${body.length + 1}\r\nConnection: close\r\n\r\n${body}\n`,
  );
const UNAUTHENTICATED = answered(
  "407 Proxy Authentication Required",
  "unauthenticated: A valid user name and password are needed.",
  CHALLENGE,
);
const REFUSED: Record<Failure, Uint8Array> = {
  malformed: answered("400 Bad Request", "malformed: The request cannot be understood."),
  unsupported: answered(
    "501 Not Implemented",
    "unsupported: The request asks for something that is not served here.",
  ),
  unauthenticated: UNAUTHENTICATED,
  denied: answered("403 Forbidden", "denied: The request is not allowed."),
  "no-route": answered("502 Bad Gateway", "no-route: Nobody here knows this destination."),
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

conformProtocol("connect", connect, {
  samples: { ...real, "a request": latin1(REQUEST) },
  others: protocols,
  served: {
    request: latin1(REQUEST),
    greeted: new Uint8Array(0),
    granted: latin1(ESTABLISHED),
    passedOn: false,
    refused: REFUSED,
  },
});

interface Options {
  readonly asksUser?: boolean;
  readonly upstream?: GateError;
  readonly headSize?: number;
}

/** What comes of this request when the user is alice with the password "se:cret". */
async function outcome(request: string, { asksUser = false, upstream, headSize = 4096 }: Options = {}) {
  const login = (user: string, password: string) => user === "alice" && password === "se:cret";
  const script = { login, upstream: upstream && (() => upstream) };
  const { client, conn, gate, serving } = serve(connect, script, {
    asksUser,
    limits: { ...LIMITS, headSize },
  });
  await client.write(latin1(request));
  const failure: Failure = await serving.then(() => undefined, (thrown) => thrown.failure);
  conn.stream[Symbol.dispose]();
  const answer = text(await readAll(client));
  return { asked: gate.asked, answer, status: Number(answer.slice(9, 12)), failure, peer: conn.peer };
}

Deno.test("the target is the authority of the request line, whatever the fields say", async () => {
  const targets: [target: string, asked: Target][] = [
    ["A.EXAMPLE:443", { host: "a.example", port: 443 }],
    ["[2001:db8::1]:22", { host: "2001:db8::1", port: 22 }],
    ["0x7f000001:80", { host: "127.0.0.1", port: 80 }],
  ];
  for (const [target, asked] of targets) {
    equal((await outcome(`CONNECT ${target} HTTP/1.1\r\nHost: other.example\r\n\r\n`)).asked, [asked]);
  }
  for (
    const target of [
      "a.example",
      "a.example:0",
      "/",
      "http://a.example:80/",
      "a@b:80",
      "::1:80",
      "unix:/run/s",
    ]
  ) {
    const { asked, status, failure } = await outcome(`CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    equal([asked, status, failure], [[], 400, "malformed"], target);
  }
});

Deno.test("a browser's many fields are read, a head that is larger than allowed gets 431", async () => {
  const many = REQUEST.replace("\r\n\r\n", `\r\n${"X-Field: value\r\n".repeat(100)}\r\n`);
  equal((await outcome(many)).asked.length, 1);
  const { asked, status } = await outcome(many, { headSize: 1024 });
  equal([asked, status], [[], 431]);
});

Deno.test("a head that is no HTTP gets 400, another version 505", async () => {
  equal((await outcome("CONNECT a.example:443 HTTP/1.1\nHost: a\n\n")).status, 400);
  equal((await outcome("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")).status, 400);
  equal((await outcome("CONNECT a.example:443 HTTP/3.0\r\n\r\n")).status, 505);
});

Deno.test("a CONNECT is read as strictly as any request: one Host where its version needs it, and no content", async () => {
  const noRoute = 502;
  const status = async (version: string, fields: string) =>
    (await outcome(`CONNECT a.example:443 HTTP/${version}\r\n${fields}\r\n`)).status;
  equal(await status("1.0", ""), noRoute);
  equal(await status("1.1", ""), 400);
  equal(await status("1.1", "Host: a\r\nHost: b\r\n"), 400);
  equal(await status("1.1", "Host: a\r\nContent-Length: 0\r\n"), noRoute);
  equal(await status("1.1", "Host: a\r\nContent-Length: 5\r\n"), 400);
});

Deno.test("other requests are caught when nobody claims them, and answered 501 with a sentence", async () => {
  for (
    const request of [
      "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
  ) {
    equal([connect.sniff!(latin1(request)), connect.catches!(latin1(request))], [false, true]);
    equal(http.sniff!(latin1(request)), true);
    const { asked, status, answer, failure } = await outcome(request);
    equal([asked, status, failure], [[], 501, "unsupported"]);
    ok(answer.includes("Only CONNECT is served here"));
  }
  ok((await outcome("HEAD http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n")).answer.endsWith("\r\n\r\n"));
});

Deno.test("a listener with users wants Basic credentials that are right", async () => {
  const withLogin = (value: string) =>
    REQUEST.replace("User-Agent", `Proxy-Authorization: ${value}\r\nUser-Agent`);
  const right = await outcome(withLogin(`basic ${btoa("alice:se:cret")}`), { asksUser: true });
  equal([right.asked, right.peer.user], [[{ host: "a.example", port: 443 }], "alice"]);
  for (
    const wrong of [
      REQUEST,
      withLogin(`Basic ${btoa("alice:secret")}`),
      withLogin(`Basic ${btoa("alice")}`),
      withLogin("Basic ###"),
      withLogin("Bearer x"),
      withLogin(`Basic ${"A".repeat(2000)}`),
      withLogin(`Basic ${btoa("alice:se:cret")}\r\nProxy-Authorization: Basic ${btoa("bob:x")}`),
    ]
  ) {
    const { asked, answer, failure } = await outcome(wrong, { asksUser: true });
    equal([asked, answer, failure], [[], text(UNAUTHENTICATED), "unauthenticated"]);
  }
});

Deno.test("what is wrong between the gate and an upstream proxy is not blamed on the client", async () => {
  for (const failure of ["unauthenticated", "malformed", "unsupported"] as const) {
    const upstream = new GateError(failure, "upstream", "Cannot connect: as the test wants it");
    const { status, answer } = await outcome(REQUEST, { upstream });
    equal([status, answer.includes("Proxy-Authenticate")], [502, false]);
  }
});

Deno.test("a client's text in an error is short and printable", async () => {
  const { serving, client } = serve(connect, {});
  await client.write(latin1(`CONNECT ${"\xe9\x9b".repeat(500)} HTTP/1.1\r\nHost: a\r\n\r\n`));
  const message: string = await serving.then(() => "", (thrown) => thrown.message);
  ok(/^[\x20-\x7e]{1,600}$/.test(message), message);
});

const from = { peer: { address: "127.0.0.1", layers: [] }, signal: new AbortController().signal, ...NO_KEYS };

Deno.test("the client side asks the server side of this gate, with credentials, for the target", async () => {
  const [upstream, target] = memoryPair("upstream");
  const script = {
    upstream: () => upstream,
    login: (user: string, password: string) => `${user}:${password}` === "bob:é",
  };
  const { client, gate, serving } = serve(connect, script, { asksUser: true });
  const endpoint = { address: { host: "2001:db8::1", port: 22 }, layers: ["connect"], credentials: "bob:é" };
  const through = await connect.wrap!(endpoint, () => Promise.resolve(client), from);
  await serving;
  equal(gate.asked, [{ host: "2001:db8::1", port: 22 }]);
  await target.write(latin1("SSH-2.0-x"));
  equal(text(await readExactly(through, 9)), "SSH-2.0-x");
  await through.closeWrite();
  equal((await readAll(target)).length, 0);
  target[Symbol.dispose]();
  await Promise.all(gate.relays);
});

/** `wrap` against a proxy that says this at once. */
async function wrapped(said: string, host = "a.example") {
  const [inside, proxy] = memoryPair("upstream");
  await proxy.write(latin1(said));
  const outcome = connect.wrap!(
    { address: { host, port: 443 }, layers: [] },
    () => Promise.resolve(inside),
    from,
  );
  const stream = await outcome.catch(() => undefined) as MemoryStream | undefined;
  return { outcome, stream, inside };
}

Deno.test("any 2xx of a proxy opens the way, and bytes behind its head are the target's", async () => {
  const { stream } = await wrapped("HTTP/1.0 204 x\r\nVia: y\r\n\r\n220 hi");
  ok(stream);
  equal(text(await readExactly(stream, 6)), "220 hi");
});

Deno.test("what a proxy says before its answer is no answer", async () => {
  const { stream } = await wrapped(
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n220 hi",
  );
  ok(stream);
  equal(text(await readExactly(stream, 6)), "220 hi");
});

Deno.test("every other answer of a proxy becomes a failure, and the stream is closed", async () => {
  const answers: [said: string, failure: Failure][] = [
    ["HTTP/1.1 403 Forbidden\r\n\r\n", "denied"],
    ["HTTP/1.1 407 Auth\r\n\r\n", "unauthenticated"],
    ["HTTP/1.1 502 Bad\r\n\r\n", "unreachable"],
    ["HTTP/1.1 503 Bad\r\n\r\n", "unreachable"],
    ["HTTP/1.1 504 Late\r\n\r\n", "timeout"],
    ["HTTP/1.1 501 No\r\n\r\n", "unsupported"],
    ["HTTP/1.1 302 Elsewhere\r\n\r\n", "unreachable"],
    ["SSH-2.0-x\r\n\r\n", "malformed"],
    ["x".repeat(20_000), "malformed"],
  ];
  for (const [said, failure] of answers) {
    const { outcome, inside } = await wrapped(said);
    await fails(outcome, failure);
    equal(inside.state, "disposed");
  }
  await fails((await wrapped("", "unix:/run/s")).outcome, "unsupported");
});
