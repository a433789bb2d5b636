/** Filters of routes: what is wrong with them, each with its place and sentence; and what they are read as. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import type { Problem } from "../../../gate/config/problems.ts";
import { equal, ok } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const env = { get: (name: string) => ({ TOKEN: "hunter2", BAD: "a\r\nb" } as Record<string, string>)[name] };
const WEB = `listeners: { web: { address: ":80", protocols: [http] } }\n`;
const parse = (text: string) => parseConfiguration([{ file: "u", text: WEB + text }], toyProtocols, env);

/** A route's keys with a ^ before the mistake, the rest of its path, and the sentence: exactly one mistake each. */
const BROKEN: readonly (readonly [name: string, keys: string, path: string, sentence: RegExp])[] = [
  [
    "a redirect beside to",
    `to: "http://h:80", redirect: ^{ host: b }`,
    ".redirect",
    /excludes to: one answer/,
  ],
  ["a redirect beside a bare to", `to: "h:80", redirect: ^{ host: b }`, ".redirect", /excludes to/],
  ["respond beside to", `to: "http://h:80", respond: ^{}`, ".respond", /excludes to, redirect/],
  ["respond beside redirect", `redirect: { host: b }, respond: ^{}`, ".respond", /excludes to, redirect/],
  [
    "a redirect to nowhere else",
    `redirect: ^{ status: 301 }`,
    ".redirect",
    /at least one of scheme, host, port/,
  ],
  [
    "a redirect's status",
    `redirect: { host: b, status: ^304 }`,
    ".redirect.status",
    /one of 301, 302, 303, 307/,
  ],
  ["a redirect's scheme", `redirect: { scheme: ^ftp }`, ".redirect.scheme", /one of http, https, got "ftp"/],
  ["a redirect's port", `redirect: { port: ^0 }`, ".redirect.port", /from 1 to 65535, got 0/],
  ["a redirect's host", `redirect: { host: ^"b:80" }`, ".redirect.host", /expected a name or an address/],
  [
    "a host that is a line",
    `redirect: { host: ^"b\\r\\nX: y" }`,
    ".redirect.host",
    /expected a name or an address/,
  ],
  ["a path with a query", `redirect: { path: ^"/a?b" }`, ".redirect.path", /without query/],
  ["a path with dot segments", `redirect: { path: ^"/a/../b" }`, ".redirect.path", /without query, dot/],
  ["a path of others' signs", `redirect: { path: ^"/é" }`, ".redirect.path", /RFC 3986/],
  ["a path that is a line", `redirect: { path: ^"/a\\r\\nX: y" }`, ".redirect.path", /RFC 3986/],
  ["a relative path", `redirect: { path: ^"a" }`, ".redirect.path", /a path such as/],
  [
    "an unknown key of a redirect",
    `redirect: { port: 1, ^hots: b }`,
    ".redirect.hots",
    /did you mean "host"/,
  ],
  ["a rewrite of nothing", `to: "http://h:80", rewrite: ^{}`, ".rewrite", /expected host or path/],
  ["a rewrite for nobody", `redirect: { host: b }, rewrite: ^{ path: /a }`, ".rewrite", /needs to/],
  ["a rewrite beside a bare to", `to: "h:80", ^rewrite: { path: /a }`, ".rewrite", /needs a to of http/],
  [
    "a rewrite's host",
    `to: "http://h:80", rewrite: { host: ^"b:x" }`,
    ".rewrite.host",
    /with or without a port/,
  ],
  ["a rewrite's port", `to: "http://h:80", rewrite: { host: ^"b:70000" }`, ".rewrite.host", /a port from 1/],
  ["a timeout for nobody", `respond: {}, timeout: ^1s`, ".timeout", /needs to/],
  ["retries for nobody", `respond: {}, retries: ^{}`, ".retries", /needs to/],
  ["a mirror of nothing", `redirect: { host: b }, mirror: ^"http://h:80"`, ".mirror", /needs to/],
  ["nothing to compress", `respond: {}, compress: ^[gzip]`, ".compress", /needs to/],
  ["a check for nobody", `respond: {}, check: ^{}`, ".check", /needs to/],
  ["headers for nobody", `respond: {}, requestHeaders: ^{ remove: [X] }`, ".requestHeaders", /needs to/],
  [
    "headers beside a bare to",
    `to: "h:80", ^responseHeaders: { remove: [X] }`,
    ".responseHeaders",
    /needs a to of/,
  ],
  ["no changes", `to: "http://h:80", requestHeaders: ^{}`, ".requestHeaders", /one of set, add, remove/],
  ["a respond status", `respond: { status: ^199 }`, ".respond.status", /from 200 to 599, got 199/],
  ["content where there is none", `respond: { status: 204, body: ^x }`, ".respond.body", /have no content/],
  ["content of a 304", `respond: { status: 304, body: ^x }`, ".respond.body", /have no content/],
  ["content of a 205", `respond: { status: 205, body: ^x }`, ".respond.body", /have no content/],
  ["long content", `respond: { body: ^${"x".repeat(65537)} }`, ".respond.body", /at most 64 KiB/],
  [
    "a length",
    `respond: { headers: { ^Content-Length: "3" } }`,
    ".respond.headers.Content-Length",
    /the gate's own/,
  ],
  ["a date", `respond: { headers: { ^date: x } }`, ".respond.headers.date", /whoever makes a response/],
  [
    "no name",
    `respond: { headers: { ^"a b": x } }`,
    `.respond.headers["a b"]`,
    /expected the name of a header$/,
  ],
  [
    "a name that is a line",
    `respond: { headers: { ^"a\\r\\nb": x } }`,
    `.respond.headers["a\\r\\nb"]`,
    /the name of a header$/,
  ],
  [
    "a value that is a line",
    `respond: { headers: { a: ^"b\\r\\nX: y" } }`,
    ".respond.headers.a",
    /expected the value of a header/,
  ],
  [
    "a value of the environment",
    `respond: { headers: { a: ^"\${BAD}" } }`,
    ".respond.headers.a",
    /got "\$\{BAD\}"/,
  ],
  [
    "whitespace around a value",
    `respond: { headers: { a: ^" b" } }`,
    ".respond.headers.a",
    /expected the value of a header/,
  ],
  [
    "one header twice",
    `respond: { headers: { X-A: b, x-a: ^c } }`,
    `.respond.headers.x-a`,
    /X-A is the same header/,
  ],
  ["long headers", `respond: { headers: ^{ a: ${"x".repeat(8200)} } }`, ".respond.headers", /more than 8192/],
  [
    "no list",
    `to: "http://h:80", requestHeaders: { remove: ^X }`,
    ".requestHeaders.remove",
    /expected a list/,
  ],
];

/** What no route says of requests, and what none says of responses. */
const REFUSED = {
  requestHeaders: [
    ...[
      "Host",
      "Connection",
      "Keep-Alive",
      "TE",
      "Transfer-Encoding",
      "Upgrade",
      "HTTP2-Settings",
      "Content-Length",
    ],
    ...[
      "Transfer_Encoding",
      "content_length",
      "Proxy-Connection",
      "Proxy-Authorization",
      "Trailer",
      "Expect",
    ],
    ...[
      "X-Forwarded-For",
      "X-Forwarded-Proto",
      "x_forwarded_host",
      "X-Forwarded-User",
      "X-Forwarded-Anything",
    ],
    ...[
      "Forwarded",
      "X-Real-IP",
      "Remote-User",
      "REMOTE_USER",
      "Client-Cert",
      "Client-Cert-Chain",
      "client_cert",
    ],
    ...["X-Forwarded-Client-Cert", "X-Forwarded-Email", "Via", "X-Request-Id", "traceparent", "tracestate"],
  ],
  responseHeaders: [
    ...[
      "Connection",
      "Keep-Alive",
      "Transfer-Encoding",
      "Upgrade",
      "Content-Length",
      "Content_Length",
      "Trailer",
    ],
    ...["Proxy-Authenticate", "Proxy-Connection", "Date", "TE"],
  ],
} as const;

async function problemsOf(text: string): Promise<readonly Problem[]> {
  try {
    await parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems;
  }
}

for (const [name, keys, path, sentence] of BROKEN) {
  Deno.test(`refused: ${name}`, async () => {
    const marked = `routes: [{ ${keys} }]`, problems = await problemsOf(marked.replace("^", ""));
    equal(problems.length, 1, JSON.stringify(problems));
    equal(problems[0].path, `routes[0]${path}`);
    ok(sentence.test(problems[0].message), problems[0].message);
    equal(problems[0].place, `u:2:${marked.indexOf("^") + 1}`);
  });
}

for (const [key, names] of Object.entries(REFUSED)) {
  Deno.test(`${key} cannot set, add or remove what is the gate's own`, async () => {
    for (const name of names) {
      for (const change of [`set: { ${name}: x }`, `add: { ${name}: x }`, `remove: [${name}]`]) {
        const problems = await problemsOf(`routes: [{ to: "http://h:80", ${key}: { ${change} } }]`);
        equal(problems.length, 1, `${change}: ${JSON.stringify(problems)}`);
        ok(/expected another header: /.test(problems[0].message), problems[0].message);
      }
    }
  });
}

const ALL = `routes:
  - { host: a, redirect: { scheme: https, host: "2001:db8::1", port: 8443, path: /x//y/%7e, status: 308 } }
  - { host: b, path: /api, respond: { status: 404, headers: { X-A: "1" }, body: "\${TOKEN}" }, responseHeaders: { remove: [Server] } }
  - host: c
    path: /api
    to: "http://h:80"
    rewrite: { host: "[::1]:80", path: / }
    requestHeaders: { set: { Authorization: "Bearer \${TOKEN}" }, add: { X-B: "" }, remove: [Cookie] }
    responseHeaders: { set: { Vary: "*" } }
`;

Deno.test("filters are read as the engines need them", async () => {
  const { config } = await parse(ALL);
  const [redirect, respond, to] = config.routes;
  equal(redirect.http!.redirect, {
    scheme: "https",
    host: "[2001:db8::1]",
    port: 8443,
    path: "/x/y/~",
    status: 308,
  });
  equal(respond.http!.respond, { status: 404, headers: { "X-A": "1" }, body: "hunter2" });
  equal([respond.http!.prefix, respond.to], ["/api", []]);
  equal(to.http!.rewrite, { host: "[::1]:80", path: "/" });
  equal(to.http!.requestHeaders, {
    set: { Authorization: "Bearer hunter2" },
    add: { "X-B": "" },
    remove: ["Cookie"],
  });
});

Deno.test("filters are shown as they were written, with their defaults, and mean the same again", async () => {
  const { config, shown } = await parse(ALL + `  - { redirect: { host: x } }\n`);
  const { routes } = shown as { routes: Record<string, unknown>[] };
  equal(routes[3], { redirect: { host: "x", status: 302 } });
  equal(routes[1].respond, { status: 404, headers: { "X-A": "1" }, body: "${TOKEN}" });
  const { requestHeaders: hidden, ...rest } = routes[2];
  equal(hidden, { set: { Authorization: "***" }, add: { "X-B": "***" }, remove: ["Cookie"] }); // what a backend asks of the gate
  const requestHeaders = {
    set: { Authorization: "Bearer ${TOKEN}" },
    add: { "X-B": "" },
    remove: ["Cookie"],
  };
  const written = routes.with(2, { ...rest, requestHeaders });
  const again = await parse(`routes: ${JSON.stringify(written)}`);
  const withoutPlaces = (value: unknown) =>
    JSON.parse(JSON.stringify(value, (key, each) => key === "place" ? undefined : each));
  equal(withoutPlaces(again.config.routes), withoutPlaces(config.routes));
});

Deno.test("a route that answers itself takes what comes, so that nobody is told of connections without one", async () => {
  const { warnings } = await parse(`routes: [{ respond: { status: 404 } }]`);
  equal(warnings, []);
  const [{ path, message }] = await problemsOf(`routes: [{ respond: {} }, { host: a, to: "http://h:80" }]`);
  equal(path, "routes[1]");
  ok(/can never match/.test(message), message);
});
