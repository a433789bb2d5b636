/** Where requests are sent, through a real gate: a route each, and what its Location says. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

/** Name, `path` of the route, its redirect, and what is asked for, at which Host, with where it is sent. */
const CASES: readonly (readonly [
  name: string,
  path: string,
  redirect: string,
  ...asked: (readonly [target: string, host: string, location: string])[],
])[] = [
  [
    "scheme",
    "/",
    "{ scheme: https }",
    ["/a?b=c", "#", "https://#/a?b=c"],
    ["/", "#:8080", "https://#/"],
    ["/a/b/", "#:443", "https://#/a/b/"],
    ["//evil.example/x", "#", "https://#//evil.example/x"],
    ["/\\evil.example", "#", "400"],
    ['/?q=\\"<>^`{|}&%5c', "#", "https://#/?q=%5C%22%3C%3E%5E%60%7B%7C%7D&%5c"],
    ["/a?http://evil.example", "#", "https://#/a?http://evil.example"],
    ["http://#:81/a?b", "other.example", "https://#/a?b"],
    ["http://#?b", "#", "https://#/?b"],
  ],
  ["same", "/", "{ scheme: http }", ["/a", "#:8080", "http://#:8080/a"], ["/a", "#:80", "http://#/a"]],
  ["port", "/", "{ port: 8443 }", ["/a", "#", "http://#:8443/a"], ["/a", "#:81", "http://#:8443/a"]],
  ["known", "/", "{ port: 80 }", ["/a", "#:81", "http://#/a"]],
  ["both", "/", "{ scheme: https, port: 443 }", ["/a", "#:81", "https://#/a"]],
  ["other", "/", "{ scheme: https, port: 80 }", ["/a", "#", "https://#:80/a"]],
  ["host", "/", "{ host: B.Example }", ["/a?b", "#:81", "http://b.example:81/a?b"], [
    "/a",
    "#:",
    "http://b.example/a",
  ]],
  ["address", "/", '{ host: "::1" }', ["/a", "#", "http://[::1]/a"], ["/a", "#:80", "http://[::1]/a"]],
  [
    "path",
    "/old",
    "{ path: /new }",
    ["/old/x?y", "#:81", "/new/x?y"],
    ["/old", "#", "/new"],
    ["/old//x", "#", "/new//x"],
    ["/%6fld/%78", "#", "/new/%78"],
  ],
  [
    "root",
    "/old",
    "{ path: / }",
    ["/old//evil.example/x", "#", "/evil.example/x"],
    ["//old///evil.example", "#", "/evil.example"],
    ["/old?//evil", "#", "/?//evil"],
    ["/old", "#", "/"],
  ],
  ["exact", "{ exact: /old }", "{ path: /new/ }", ["/old?a", "#", "/new/?a"]],
  ["all", "/", '{ host: b, path: "/a:b;c" }', ["/x//y", "#", "http://b/a:b;c/x//y"]],
];

/** No route of theirs has a path, so any goes. */
const ANY_PATH: typeof CASES = [
  ["whole", "", "{ path: /new, status: 307 }", ["/any/../x?y", "#", "/new?y"], ["*", "#", "/new"]],
  ["raw", "", "{ scheme: https }", ["/\\evil.example/..", "#", "https://#/%5Cevil.example/.."], [
    "*",
    "#",
    "https://#/",
  ]],
];

Deno.test("a Location says where, and keeps what the redirect does not name", async () => {
  const all = [...CASES, ...ANY_PATH];
  const routes = all.map(([name, path, redirect]) =>
    `  - { host: ${name}.example, ${path && `path: ${path}, `}redirect: ${redirect} }\n`
  );
  await using gate = await startGate(
    `listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }\nroutes:\n${routes.join("")}`,
  );
  await using client = await connect(gate.port("web"));
  for (const [name, , redirect, ...asked] of all) {
    for (const [target, host, location] of asked) {
      const [said, authority, expected] = [target, host, location].map((text) =>
        text.replace("#", `${name}.example`)
      );
      const method = target === "*" ? "OPTIONS" : "GET";
      await client.write(`${method} ${said} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
      const { status, head, content } = await readResponse(client);
      const to = /^location: (.*)\r$/im.exec(head)?.[1] ?? String(status);
      equal(to, expected, `${redirect}: ${target} at ${host}`);
      equal(status, expected === "400" ? 400 : redirect.includes("307") ? 307 : 302);
      if (status !== 400) equal(content, "");
      ok(/^date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r$/im.test(head), head);
    }
  }
});

Deno.test("an old request that names nobody is sent to another path, but not to another place of nobody's", async () => {
  for (
    const [redirect, status, location] of [["{ path: /new }", 301, "/new"], [
      "{ scheme: https }",
      400,
      undefined,
    ]]
  ) {
    await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ redirect: ${String(redirect).replace("}", ", status: 301 }")} }]
`);
    await using client = await connect(gate.port("web"));
    await client.write("GET /old HTTP/1.0\r\n\r\n");
    const response = await readResponse(client);
    equal([response.status, /^location: (.*)\r$/im.exec(response.head)?.[1]], [status, location]);
  }
});

Deno.test("the scheme that stays is the client's own, also where a trusted proxy ended its TLS", async () => {
  const told: readonly [trusted: string, proto: string, location: string][] = [
    ["127.0.0.1", "https", "https://www.example/a"],
    ["127.0.0.1", "HTTP", "http://www.example/a"],
    ["127.0.0.1", "javascript", "http://www.example/a"],
    ["10.0.0.1", "https", "http://www.example/a"],
  ];
  for (const [trusted, proto, location] of told) {
    await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http], trustedProxies: ${trusted} } }
routes: [{ redirect: { host: www.example } }]
`);
    await using client = await connect(gate.port("web"));
    await client.write(
      `GET /a HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: ${proto}\r\n\r\n`,
    );
    equal(/^location: (.*)\r$/im.exec((await readResponse(client)).head)?.[1], location, proto);
  }
});

Deno.test("whatever is asked for, a Location is one line, and leads to the host that was asked, or to a path", async () => {
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /p, redirect: { path: / } }
  - { redirect: { scheme: https } }
`);
  const signs = [
    "/",
    "\\",
    "?",
    "@",
    ":",
    "%2f",
    "%5c",
    "%0d%0a",
    "%00",
    "p",
    "evil.example",
    "&",
    "[",
    "]",
    "//",
    "..",
  ];
  await using client = await connect(gate.port("web"));
  for (let i = 0; i < signs.length ** 2; i++) {
    const tail = signs[i % signs.length] + signs[Math.floor(i / signs.length)];
    for (const target of [`/${tail}`, `/p${tail}`, `/p/${tail}`, `//p/${tail}`]) {
      await client.write(`GET ${target} HTTP/1.1\r\nHost: good.example\r\n\r\n`);
      const { status, head } = await readResponse(client);
      if (status === 400) continue;
      const [, location] = /^location: ([\x21-\x7e]*)\r$/im.exec(head)!;
      equal(new URL(location, "http://good.example/").hostname, "good.example", `${target} to ${location}`);
    }
  }
});
