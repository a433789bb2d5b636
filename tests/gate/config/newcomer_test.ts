/** What somebody writes who comes from nginx, HAProxy, Caddy or Traefik, and what they are told: where, what, and what instead. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { insteadOf } from "../../../gate/config/foreign_words.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { acme as acmeSchema } from "../../../gate/config/identity_schema.ts";
import { route as routeSchema } from "../../../gate/config/route_schema.ts";
import * as schema from "../../../gate/config/schema.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";

openssl(); // it stays open: not in a test

async function told(text: string): Promise<string[]> {
  const loading = parseConfiguration([{ file: "u.yaml", text }], protocols, { get: (name) => `env-${name}` });
  const [lines] = await loading.then(({ warnings }) => [warnings], (thrown) => {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    return [thrown.message.split("\n")];
  });
  return [...lines];
}

const WEB = `listeners: { web: { address: ":8080", protocols: [http] } }\n`;
const route = (keys: string) => `${WEB}routes: [{ ${keys} }]\n`;
const listener = (keys: string) => `listeners: { web: { ${keys} } }\nroutes: [{ to: "http://h:1" }]\n`;

/** All that is said, from its place on. */
const CASES: readonly (readonly [name: string, text: string, ...said: string[]])[] = [
  [
    "nginx's words",
    route('server_name: a.example, location: /api, to: "http://h:1"'),
    "u.yaml:2:12 routes[0].server_name: unknown key; a name is host: www.example.com, and each has a route of its own",
    "u.yaml:2:36 routes[0].location: unknown key; what is below a path is path: /api",
  ],
  [
    "what is not there",
    route("files: /, try_files: a, sticky: true, forwardAuth: a, cache: 1d") + "log: { file: a }\n",
    "u.yaml:2:22 routes[0].try_files: unknown key; " +
    "files: DIR serves what is there, and the index.html of a directory: nothing of that can be chosen",
    "u.yaml:2:36 routes[0].sticky: unknown key; nothing ties a client to a target: the least loaded one is asked",
    "u.yaml:2:50 routes[0].forwardAuth: unknown key; who asks is proven by auth: basic, jwt or certificate",
    "u.yaml:2:66 routes[0].cache: unknown key; " +
    "nothing is cached; what browsers keep is responseHeaders: { set: { Cache-Control: VALUE } }",
    "u.yaml:3:8 log.file: unknown key; the log goes to stderr, for the journal or a redirection",
  ],
  [
    "a list of names",
    route('host: [a.example, b.example], to: "http://h:1"'),
    "u.yaml:2:18 routes[0].host: expected one name, *.name or * (an address is none), got a list",
  ],
  [
    "a name with its port",
    route('host: "a.example:8080", to: "http://h:1"'),
    'u.yaml:2:18 routes[0].host: expected one name, *.name or * (an address is none), without a port, got "a.example:8080"',
  ],
  [
    "HTTPS as a protocol",
    listener('address: ":443", protocols: [https]'),
    'u.yaml:1:50 listeners.web.protocols[0]: unknown protocol "https"; HTTPS is [tls, http]',
  ],
  [
    "HTTP/2 as a protocol",
    listener('address: ":443", protocols: [tls, http, h2]'),
    'u.yaml:1:61 listeners.web.protocols[2]: unknown protocol "h2"; clients are served HTTP/1.1, by http',
  ],
  [
    "one protocol without a list",
    listener('address: ":80", protocols: http'),
    'u.yaml:1:48 listeners.web.protocols: expected a list, each the name of a protocol, got "http"',
  ],
  [
    "a port as address",
    listener("address: 80, protocols: [http]"),
    'u.yaml:1:30 listeners.web.address: expected an address such as ":80", which is that port on every address, got 80',
  ],
  [
    "an address without a port",
    listener("address: 0.0.0.0, protocols: [http]"),
    'u.yaml:1:30 listeners.web.address: expected an address with its port, such as "0.0.0.0:80", got "0.0.0.0"',
  ],
  [
    "a target without its port",
    route('to: "https://backend"'),
    'u.yaml:2:16 routes[0].to: expected a target with its port, such as https://backend:443, got "https://backend"',
  ],
  [
    "a target with a path",
    route('to: "http://h:1/base"'),
    "u.yaml:2:16 routes[0].to: expected a target without a path, such as http://h:1 " +
    '(rewrite.path puts one in front of requests), got "http://h:1/base"',
  ],
  [
    "a target with a slash",
    route('to: ["http://h:1/", "http://h:2"]'),
    'u.yaml:2:17 routes[0].to[0]: expected a target without a slash at its end, such as http://h:1, got "http://h:1/"',
  ],
  [
    "a target of a WebSocket",
    route('to: "ws://h:1"'),
    'u.yaml:2:16 routes[0].to: expected a target such as http://host:port, which carries WebSockets too, got "ws://h:1"',
  ],
  [
    "a weight of none beside a target of HTTP",
    route('to: [{ to: "http://h:1", weight: 0 }]'),
    "u.yaml:2:45 routes[0].to[0].weight: expected a whole number from 1 to 1000, got 0",
  ],
  [
    "a path with a star",
    `${WEB}routes: [{ path: /api/*, to: "http://h:1" }, { to: "http://h:2" }]`,
    "u.yaml:2:18 routes[0].path: * is a character as any other here: a prefix is for what is below it too",
  ],
  [
    "a path with a variable",
    `${WEB}routes: [{ path: "/v1.0/{id}/x", to: "http://h:1" }, { path: { exact: "/u/:name" }, to: "http://h:2" }]`,
    `u.yaml:2:18 routes[0].path: expected a path such as /api, without query and dot segments; { regex: '^/v1\\.0/[^/]+/x$' } matches whatever stands there, got "/v1.0/{id}/x"`,
  ],
  [
    "a path with a colon",
    `${WEB}routes: [{ path: { exact: "/u/:name" }, to: "http://h:1" }]`,
    "u.yaml:2:18 routes[0].path: a segment with a colon is text as any other here: { regex: '^/u/[^/]+$' } matches whatever stands there",
  ],
  [
    "a prefix under its name",
    route('path: { prefix: /api }, to: "http://h:1"'),
    "u.yaml:2:18 routes[0].path: expected either exact or regex",
    "u.yaml:2:20 routes[0].path.prefix: unknown key; a prefix stands alone: path: /api",
  ],
  [
    "a redirect as a text",
    route('redirect: "https://b.example"'),
    'u.yaml:2:22 routes[0].redirect: expected a map of scheme, host, port, path, status, got "https://b.example"',
  ],
  [
    "an answer as a text",
    route("path: /health, respond: ok"),
    'u.yaml:2:36 routes[0].respond: expected a map of status, headers, body, got "ok"',
  ],
  [
    "a time without its unit",
    route('to: "http://h:1", timeout: 30'),
    "u.yaml:2:39 routes[0].timeout: expected a duration with its unit, such as 30s, got 30",
  ],
  [
    "nginx's sizes",
    route('to: "http://h:1", bodySize: 10m'),
    'u.yaml:2:40 routes[0].bodySize: expected a size such as 10MiB, got "10m"',
  ],
  [
    "codings as a flag",
    route('to: "http://h:1", compress: true'),
    'u.yaml:2:40 routes[0].compress: expected a list, each one of zstd, gzip, got "true"',
  ],
  [
    "tls as a flag",
    route('host: a.example, to: "http://h:1", tls: true'),
    'u.yaml:2:52 routes[0].tls: expected terminate, got "true"',
  ],
  [
    "HTTPS alone where nobody speaks TLS",
    route('host: a.example, tls: terminate, to: "http://h:1"') + "acme: {}\n",
    "u.yaml:2:34 routes[0].tls: requests in clear are sent to https, and no listener has tls and http: " +
    "who comes back finds nobody",
  ],
  [
    "TLS without a certificate",
    'listeners: { web: { address: ":443", protocols: [tls, http] } }\n' +
    'routes: [{ host: a.example, tls: terminate, to: "http://h:1" }]\n',
    "u.yaml:2:34 routes[0].tls: Cannot end TLS here: no certificate has a name of a.example in certificates; " +
    "acme orders one, and ugate dev-cert a.example makes one for trying out",
  ],
  [
    "staging as a flag",
    'listeners: { web: { address: ":443", protocols: [tls, http] } }\n' +
    'routes: [{ host: a.example, to: "http://h:1" }]\nacme: { staging: true }\n',
    "u.yaml:3:9 acme.staging: unknown key; that is directory: staging",
  ],
  [
    "routes as a map",
    `${WEB}routes: { a.example: "http://h:1" }`,
    "u.yaml:2:9 routes: expected a list, each item behind a dash, got a map",
  ],
  [
    "a key that stands too far right",
    `${WEB}routes:\n  - host: a.example\n     to: http://h:1\n`,
    "u.yaml:3:11: this key stands further right than those it belongs to, or in one line with another one (braces hold several)",
  ],
];

for (const [name, text, ...said] of CASES) {
  Deno.test(`${name}: told where, what, and what to write instead`, async () => {
    equal(await told(text), said);
  });
}

Deno.test("no hint shows what the environment has", async () => {
  for (
    const keys of [
      "to: '${A}'",
      "to: 'http://${A}'",
      "to: 'http://${A}/x'",
      "host: '${A}:1', to: 'http://h:1'",
    ]
  ) {
    const lines = (await told(route(keys))).join("\n");
    ok(lines !== "" && !lines.includes("env-A"), lines);
  }
});

Deno.test("words of other programs lead to keys that there are", () => {
  const keysOf = (part: { shape: object }) => Object.keys(part.shape);
  const places = [keysOf(routeSchema), keysOf(schema.listener), keysOf(schema.file), keysOf(acmeSchema)];
  const [routes, listeners, top] = places;
  equal(insteadOf("proxy_pass", routes), 'where requests go is to: "http://host:port"');
  equal(insteadOf("Basic-Auth", routes), "passwords are auth: { basic: { NAME: PASSWORD } }");
  equal(insteadOf("listen", listeners), 'where it listens is address: ":80"');
  equal(insteadOf("proxy_pass", listeners), undefined);
  equal(insteadOf("metrics", top), 'that is admin: { metrics: ":15020" }');
  for (const keys of places) for (const key of keys) equal(insteadOf(key, keys), undefined, key);
});
