import { parse } from "yaml";
import { z } from "zod";
import { ConfigurationError, loadConfiguration, parseConfiguration } from "../../../gate/config/load.ts";
import { jsonSchema } from "../../../gate/config/json_schema.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const NOTHING = { get: () => undefined };

/** The example of the design, of which only the keys that are there. */
const EXAMPLE = `
node:      { name: pi, domain: mesh.example.com, trustDomain: cluster.local, namespace: default, state: /var/lib/ugate }
listeners:
  edge:    { address: ":443", protocols: [tls, ssh, mqtt, http], fallback: "127.0.0.1:9000", sniffTimeout: 3s }
  local:   { address: "127.0.0.1:15080", protocols: [socks, connect, http, tls] }
  proxy:   { address: ["10.0.0.1:1080", "[fd00::1]:1080", "unix:/run/ugate/proxy.sock"], protocols: [socks, connect],
             users: { alice: "\${ALICE_PASSWORD}" }, proxyProtocol: ["10.0.0.0/8"] }
  pg:      { address: "127.0.0.1:5432", to: "postgres.db.svc:5432" }
routes:
  - { host: git.example.com, to: "10.0.0.5:8443" }
  - { protocol: ssh, to: "127.0.0.1:22" }
  - { listener: edge, protocol: mqtt, to: ["10.0.0.8:1883", "10.0.0.9:1883"], proxyProtocol: v2 }
  - { protocol: http, to: [{ to: "10.0.0.6:80", weight: 3 }, { to: "unix:/run/www" }], check: { interval: 1s } }
  - { host: pi.example.com, to: "pi.mesh.example.com:443" }
hosts:
  db.internal: { addresses: ["10.0.0.7", "[fd00::7]:5432"] }
  "*.onion":   { via: "127.0.0.1:9050", layers: [socks], credentials: "bob:\${ALICE_PASSWORD}" }
discovery: [file, dns]
policy:
  - { deny:  { addresses: ["169.254.0.0/16"] } }
  - { allow: { listener: proxy, user: alice, hosts: ["*.internal"], ports: [443, "8000-8999"] } }
limits:    { connections: 20000, perSource: 1000, sniffTimeout: 3s, dialTimeout: 10s, idleTimeout: 1h, grace: 30s }
engine:    { threads: 1 }
admin:     { address: "127.0.0.1:15000" }
log:       { level: info, format: auto }
`;

const parsed = (text: string, env: Record<string, string> = {}) =>
  parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, { get: (name) => env[name] });

Deno.test("the example of the design is a configuration, typed and complete", async () => {
  const { config, files, warnings } = await parsed(EXAMPLE, { ALICE_PASSWORD: "0123" });
  equal(files, ["ugate.yaml"]);
  equal(warnings, []);
  equal(config.listeners.proxy, {
    name: "proxy",
    addresses: [
      { host: "10.0.0.1", port: 1080 },
      { host: "fd00::1", port: 1080 },
      { host: "unix:/run/ugate/proxy.sock", port: 0 },
    ],
    places: [
      "ugate.yaml:6:24 listeners.proxy.address[0]",
      "ugate.yaml:6:41 listeners.proxy.address[1]",
      "ugate.yaml:6:59 listeners.proxy.address[2]",
    ],
    protocols: ["socks", "connect"],
    sniffTimeout: 3000,
    users: { alice: "0123" },
    proxyProtocol: ["10.0.0.0/8"],
    limits: {},
  });
  equal(config.routes.map(({ place }) => place.replace(/^ugate.yaml:[0-9]+:[0-9]+ /, "")), [
    ...["listeners.pg.to", "routes[0]", "routes[1]", "routes[2]", "routes[3]", "routes[4]"],
  ]);
  equal(config.routes[0].to, [{ target: { host: "postgres.db.svc", port: 5432 }, weight: 1 }]);
  equal(config.routes[4].to.map(({ weight }) => weight), [3, 1]);
  equal(config.routes[4].check, { interval: 1000, timeout: 2000 });
  equal(config.hosts["db.internal"].addresses, [{ host: "10.0.0.7" }, { host: "fd00::7", port: 5432 }]);
  equal(config.hosts["*.onion"].credentials, "bob:0123");
  equal(config.policy[1].ports, [[443, 443], [8000, 8999]]);
  equal(config.limits.idleTimeout, 3_600_000);
  equal(config.admin, { address: { host: "127.0.0.1", port: 15000 }, metrics: undefined });
});

Deno.test("what is shown of a configuration has no secret, and the names of variables in place of values", async () => {
  const { shown, config } = await parsed(EXAMPLE + `dns: { search: ["\${DOMAIN}"] }`, {
    ALICE_PASSWORD: "hunter2",
    DOMAIN: "example.com",
  });
  equal(config.dns.search, ["example.com"]);
  const text = JSON.stringify(shown);
  equal(text.includes("hunter2"), false);
  ok(text.includes('"search":["${DOMAIN}"]'));
  ok(text.includes('"alice":"***"') && text.includes('"credentials":"***"'));
});

Deno.test("every key has a default, and without a file loopback is served", async () => {
  const { config, warnings } = await parsed("log: {}");
  equal(Object.keys(config.listeners), ["local"]);
  equal(config.listeners.local.addresses, [{ host: "127.0.0.1", port: 15080 }]);
  equal(config.listeners.local.protocols, ["socks", "connect", "http", "tls"]);
  equal(config.limits, {
    ...{ connections: 20000, perSource: 1000, reserve: {}, headSize: 65536 },
    ...{ headTimeout: 10_000, bodyTimeout: 60_000, keepAlive: 75_000, requestsPerConnection: 10_000 },
    ...{
      sniffTimeout: 3000,
      handshakeTimeout: 10_000,
      dialTimeout: 10_000,
      idleTimeout: 3_600_000,
      grace: 30_000,
    },
  });
  equal(config.discovery, ["file", "mesh", "dns"]);
  equal(config.log, { level: "info", format: "auto" });
  equal([config.node.domain, config.node.trustDomain, config.node.namespace], [
    "",
    "cluster.local",
    "default",
  ]);
  ok(config.node.name !== "" && config.node.state.endsWith("/ugate"));
  equal(config.routes, []);
  equal(warnings, []);
});

Deno.test("a variable is read as its key's type, and never in a key", async () => {
  const text = `limits: { connections: "\${N}", headSize: "\${K}KiB" }
listeners: { a: { address: ":\${PORT}", protocols: [socks], users: { "\${U}": "\${N}" } } }
policy: [{ allow: { ports: "$\${X}" } }]`;
  const env = { N: "12", K: "8", PORT: "1080" };
  await rejects(parsed(text, env), /policy\[0\]\.allow\.ports: expected a port or a range.*got "\$\$\{X\}"/);
  const { config } = await parsed(text.replace("$${X}", "443"), env);
  equal(config.policy[0].ports, [[443, 443]]);
  equal(config.limits.connections, 12);
  equal(config.limits.headSize, 8192);
  equal(config.listeners.a.addresses, [{ host: "", port: 1080 }]);
  equal(config.listeners.a.users, { "${U}": "12" });
});

Deno.test("sniffTimeout of the limits is the default of all listeners", async () => {
  const { config } = await parsed(`limits: { sniffTimeout: 250ms }
listeners: { a: { address: ":1", to: "x:1" }, b: { address: ":2", protocols: [tls], sniffTimeout: 1s } }`);
  equal([config.listeners.a.sniffTimeout, config.listeners.b.sniffTimeout], [250, 1000]);
});

Deno.test("what is suspicious but right is a warning with its place", async () => {
  const { warnings } = await parsed(`listeners:
  edge: { address: ":443", protocols: [tls, ssh] }
  proxy: { address: ":1080", protocols: [socks] }
hosts: { a.example: { addresses: [10.0.0.1] } }
discovery: [dns]
policy:
  - { allow: { listener: proxy } }
  - { allow: { addresses: [10.0.0.0/8, 169.0.0.0/8], protocol: tls } }
`);
  equal(warnings.map((warning) => warning.slice(0, warning.indexOf(": "))), [
    "ugate.yaml:2:9 listeners.edge",
    "ugate.yaml:7:5 policy[0]",
    "ugate.yaml:8:40 policy[1].allow.addresses[1]",
    "ugate.yaml:4:8 hosts",
  ]);
});

Deno.test("TLS that no route takes and nobody may ask for is a warning", async () => {
  const warned = async (text: string) =>
    (await parsed(text)).warnings.filter((warning) => / tls/.test(warning));
  const edge = `listeners: { edge: { address: ":443", protocols: [tls] } }\n`;
  equal(await warned(edge), [
    "ugate.yaml:1:20 listeners.edge: no route takes tls, and no allow rule of policy names it: such connections are closed",
  ]);
  equal(
    (await warned(`listeners: { a: { address: "127.0.0.1:1", protocols: [socks, tls], users: { a: b } } }`))
      .length,
    1,
  );
  const used = [
    edge + `routes: [{ host: a.x, to: "x:1" }]`,
    edge + `policy: [{ allow: { protocol: [tls], hosts: a.x } }]`,
    `listeners: { a: { address: "127.0.0.1:1", protocols: [tls] } }`,
  ];
  for (const text of used) equal(await warned(text), [], text);
});

Deno.test("a server of names is asked at port 53, or at its own", async () => {
  const { config } = await parsed(`dns: { servers: [9.9.9.9, "127.0.0.1:5353", "fd00::1", "[fd00::2]:54"] }`);
  equal(config.dns.servers, [
    { host: "9.9.9.9", port: 53 },
    { host: "127.0.0.1", port: 5353 },
    { host: "fd00::1", port: 53 },
    { host: "fd00::2", port: 54 },
  ]);
});

Deno.test("rules that can meet someone are accepted", async () => {
  const right = [
    `listeners: { a: { address: ":1", to: "x:1" } }\npolicy: [{ deny: { listener: a, sources: 10.0.0.0/8 } }]`,
    `listeners: { a: { address: ":1", protocols: [tls] } }\npolicy: [{ allow: { protocol: tls, hosts: x.example } }]`,
    `listeners: { a: { address: "[::1]:1", protocols: [tls] } }\npolicy: [{ deny: { hosts: x.example } }]`,
    `listeners: { a: { address: "unix:@a", protocols: [socks] } }`,
    `listeners: { a: { address: ":1", protocols: [socks, ssh] } }
policy: [{ allow: { ports: 443 } }]
routes: [{ protocol: ssh, to: "x:1" }]`,
    `listeners: { a: { address: ":1", protocols: [tls, socks] } }
policy: [{ deny: { ports: 25 } }, { allow: { listener: a, protocol: [socks] } }]
routes: [{ host: "a.x", to: "x:1" }, { host: "*.x", to: "x:1" }, { host: "*", to: "x:1" }]`,
    `listeners: { a: { address: "127.0.0.1:1", protocols: [socks] } }
routes: [{ protocol: socks, host: "*", to: "x:1" }, { protocol: socks, to: "x:1" }]`,
    `listeners: { a: { address: ["10.0.0.1:1", "10.0.0.2:1", "[fd00::1]:1", "0.0.0.0:2", "[fd00::1]:2"], to: "x:1" } }`,
    `listeners: { a: { address: ["127.0.0.1:0", "127.0.0.1:0"], to: "x:1" } }`,
    // One gate may stand behind itself: another listener, another protocol, another route there.
    `listeners: { a: { address: "127.0.0.1:1", to: "127.0.0.1:2" }, b: { address: "127.0.0.1:2", to: "x:1" } }`,
    `listeners: { a: { address: ":1", protocols: [ssh, tls], fallback: "127.0.0.1:2" }, b: { address: ":2", to: "x:1" } }
routes: [{ listener: a, to: "127.0.0.1:2" }]`,
    `listeners: { a: { address: "127.0.0.1:1", protocols: [socks, tls] } }
routes: [{ protocol: socks, host: a.x, to: "127.0.0.1:1" }, { protocol: tls, to: "10.0.0.1:1" }]`,
    `listeners: { a: { address: ":1", protocols: [ssh] }, b: { address: ":2", protocols: [ssh] } }
routes: [{ listener: b, to: "x:1" }, { protocol: ssh, to: "127.0.0.1:2" }]`,
    `listeners: { a: { address: ":1", to: "10.0.0.1:1" }, b: { address: "127.0.0.1:0", to: "127.0.0.1:1" } }`,
    `admin: { address: off, metrics: ":15020" }`,
    `admin: { address: "unix:/run/ugate/admin.sock" }`,
  ];
  for (const text of right) await parsed(text);
});

Deno.test("eight thousand routes are read and checked in time", async () => {
  const routes = Array.from({ length: 8000 }, (_, i) => `  - { host: h${i}.example, to: "x:1" }`).join("\n");
  const { config } = await parsed(
    `listeners: { a: { address: ":1", protocols: [tls] } }\nroutes:\n${routes}\n`,
  );
  equal(config.routes.length, 8000);
});

Deno.test("a directory is its sorted *.yaml: maps merge, lists concatenate, a key twice names both places", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const write = (name: string, text: string) => Deno.writeTextFile(`${directory}/${name}`, text);
    await rejects(loadConfiguration(directory, toyProtocols, NOTHING), /this directory has no \*\.yaml/);
    await write("20.yaml", `routes: [{ protocol: ssh, to: "b:1" }]\nlimits: { perSource: 7 }`);
    await write("10.yaml", `routes: [{ host: a.x, to: "a:1" }]\nlimits: { connections: 70 }`);
    await write(".hidden.yaml", "nonsense");
    await write("notes.txt", "nonsense");
    await Deno.mkdir(`${directory}/..2026`);
    await Deno.writeTextFile(
      `${directory}/..2026/30.yaml`,
      `listeners: { e: { address: ":1", protocols: [tls, ssh] } }`,
    );
    await Deno.symlink("..2026/30.yaml", `${directory}/30.yaml`);
    const { config, files } = await loadConfiguration(`${directory}/`, toyProtocols, NOTHING);
    equal(files.map((file) => file.slice(directory.length)), ["/10.yaml", "/20.yaml", "/30.yaml"]);
    equal(config.routes.map(({ to }) => to[0].target.host), ["a", "b"]);
    ok(config.routes[1].place.endsWith("/20.yaml:1:10 routes[1]"));
    equal([config.limits.connections, config.limits.perSource], [70, 7]);
    await write("40.yaml", "limits: { perSource: 8 }");
    await rejects(
      loadConfiguration(directory, toyProtocols, NOTHING),
      /40\.yaml:1:22 limits\.perSource: this key is given twice, first at .*20\.yaml:2:22$/,
    );
    await write("40.yaml", "");
    await rejects(loadConfiguration(directory, toyProtocols, NOTHING), /40\.yaml: the file is empty$/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("files that cannot be read say why, and $UGATE_CONFIG names the file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/a.yaml`;
    await rejects(
      loadConfiguration(file, toyProtocols, NOTHING),
      /a\.yaml: Cannot read: there is no such file$/,
    );
    await Deno.writeFile(file, Uint8Array.of(0x61, 0x3a, 0xff, 0x0a));
    await rejects(loadConfiguration(file, toyProtocols, NOTHING), /a\.yaml: expected UTF-8 text$/);
    await Deno.writeTextFile(file, "é".repeat(700_000));
    await rejects(loadConfiguration(file, toyProtocols, NOTHING), /a\.yaml: expected at most 1 MiB/);
    await rejects(loadConfiguration("/dev/zero", toyProtocols, NOTHING), /expected at most 1 MiB/);
    await Deno.writeTextFile(file, "engine: { threads: 3 }");
    const env = { get: (name: string) => name === "UGATE_CONFIG" ? file : undefined };
    const { config, files } = await loadConfiguration(undefined, toyProtocols, env);
    equal([config.engine.threads, files], [3, [file]]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a ConfigurationError has its problems as data, too", async () => {
  const error = await parsed(`listeners: { a: { address: ":70000", to: "x:1" } }`).catch((error) => error);
  ok(error instanceof ConfigurationError);
  equal(error.problems, [{
    place: "ugate.yaml:1:28",
    path: "listeners.a.address",
    message: "expected a port from 1 to 65535, got 70000",
  }]);
});

Deno.test("the JSON Schema accepts what is right and refuses what an editor should mark", () => {
  const schema = z.fromJSONSchema(jsonSchema(toyProtocols) as Parameters<typeof z.fromJSONSchema>[0]);
  equal(schema.safeParse(parse(EXAMPLE)).error?.message, undefined);
  const right = [
    "{}",
    "limits: { connections: 5, headSize: 64KiB, grace: '${GRACE}' }",
    "limits: { connections: '${N}' }",
    "log: { level: '${LEVEL}' }",
    "policy: [{ deny: { ports: [25, '8000-8999'], sources: 10.0.0.0/8 } }]",
    "routes: [{ path: /a, method: PUT, headers: { x-a: 1 }, query: { b: true }, to: 'http://x:1' }]",
    "routes: [{ path: { regex: '^/v[0-9]+/' }, method: [PUT], encodedSlash: keep, to: 'http://x:1' }]",
  ];
  for (const text of right) equal(schema.safeParse(parse(text)).success, true, text);
  const wrong = [
    "[]",
    "lsiteners: {}",
    "listeners: { a: { to: 'x:1' } }",
    "listeners: { a: { address: ':1', protocol: [tls] } }",
    "limits: { connections: many }",
    "limits: { connections: 0 }",
    "limits: { headSize: 64KB }",
    "limits: { grace: 5 }",
    "log: { level: loud }",
    "routes: [{ host: a.x, tls: passthrough }]",
    "routes: [{ path: { prefix: /a }, to: 'http://x:1' }]",
    "routes: [{ encodedSlash: maybe, to: 'http://x:1' }]",
    "routes: [{ headers: [x-a], to: 'http://x:1' }]",
    "listeners: { a: { address: ':1', protocols: [tls], clientCertificates: { require: yes, ca: x } } }",
    "certificates: [{ cert: x }]",
    "routes: { host: a.x, to: 'x:1' }",
    "discovery: []",
    "discovery: [xds]",
    "log: { format: xml }",
    "routes: [{ protocol: ssh, to: 'x:1', proxyProtocol: v3 }]",
    "routes: [{ protocol: sshh, to: 'x:1' }]",
    "listeners: { a: { address: ':1', protocols: [tsl] } }",
    "policy: [{ deny: { protocol: [socks, sock] } }]",
    "hosts: { x: { via: 'a:1', layers: [ssh] } }",
    "limits: { reserve: { shh: 5 } }",
  ];
  for (const text of wrong) equal(schema.safeParse(parse(text)).success, false, text);
});

Deno.test("the JSON Schema wants a target, that TLS ends here, or an answer", () => {
  const { properties } = jsonSchema(toyProtocols) as {
    readonly properties: { readonly routes: { readonly items: { readonly anyOf: unknown } } };
  };
  const keys = ["to", "tls", "redirect", "respond", "files"];
  equal(properties.routes.items.anyOf, keys.map((key) => ({ required: [key] })));
});

Deno.test("the JSON Schema tells of every key what it is for", () => {
  const keys: string[] = [];
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    for (const [word, inner] of Object.entries(schema)) {
      if (word !== "properties") walk(inner, path);
      else {
        for (const [key, value] of Object.entries(inner as Record<string, { description?: string }>)) {
          const { description = "" } = value;
          const at = `${path}.${key}`;
          keys.push(at);
          ok(
            /^[a-z][^;]{5,}/.test(description) && !/^(?:a|an|one of) /.test(description),
            `${at}: ${description}`,
          );
          walk(value, at);
        }
      }
    }
  };
  walk(jsonSchema(toyProtocols), "");
  for (const key of [".listeners.address", ".routes.to.weight", ".policy.deny.ports", ".limits.grace"]) {
    ok(keys.includes(key), `${key} of ${keys.join(" ")}`);
  }
});

Deno.test("what the gate keeps is beside its file, from wherever it is started", async () => {
  const at = async (file: string, state: string) =>
    (await parseConfiguration([{ file, text: `node: { state: ${state} }` }], toyProtocols, { get: () => "" }))
      .config.node.state;
  equal(await at("/etc/ugate/ugate.yaml", "state"), "/etc/ugate/state");
  equal(await at("/etc/ugate/ugate.yaml", "/var/lib/gate"), "/var/lib/gate");
  equal(await at("ugate.yaml", "./state"), `${Deno.cwd()}/state`);
});
