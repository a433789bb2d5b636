/** A mistake of shape hides no mistake of meaning: both are told in one go, in every section. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

/** `path: message` of each mistake, in the order of the text. */
async function mistakesOf(text: string): Promise<string[]> {
  const told = await parseConfiguration([{ file: "u", text }], toyProtocols, { get: () => undefined })
    .then(() => [], (error) => {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    });
  return told.map(({ path, message }) => `${path}: ${message.replace(/ ?[;,:(].*/, "")}`);
}

const EDGE = `listeners: { edge: { address: ":443", protocols: [tls, ssh] } }\n`;
const LISTENER = (keys: string) => `listeners: { a: { ${keys} } }\n`;

/** What is broken twice, the text, the paths and the beginnings of the sentences. */
const TWICE: readonly (readonly [string, string, ...string[]])[] = [
  [
    "a listener's time and its protocol",
    LISTENER(`address: ":1", sniffTimeout: 3, protocols: [sokcs]`),
    "listeners.a.sniffTimeout: expected a duration with its unit",
    'listeners.a.protocols[0]: unknown protocol "sokcs"',
  ],
  [
    "a listener's address and its protocols",
    LISTENER(`address: nowhere, protocols: [tls, tcp]`),
    'listeners.a.address: expected an address such as "',
    "listeners.a.protocols: tcp cannot be told apart from tls",
  ],
  [
    "a listener's key and its users",
    LISTENER(`adress: ":1", address: ":1", protocols: [tls], users: { a: b }`),
    "listeners.a.adress: unknown key",
    "listeners.a.users: no protocol of this listener asks for a password",
  ],
  [
    "one protocol of a list and another",
    LISTENER(`address: ":1", protocols: [[tls], sshh, ssh, ssh]`),
    "listeners.a.protocols[0]: expected the name of a protocol",
    'listeners.a.protocols[1]: unknown protocol "sshh"',
    'listeners.a.protocols[3]: "ssh" is given twice',
  ],
  [
    "a listener's limits and its port",
    `listeners: { a: { address: ":1", to: "x:1" }, b: { address: ":1", to: "x:1", limits: { connections: 0 } } }`,
    "listeners.b.address: port 1 is owned by u",
    "listeners.b.limits.connections: expected a whole number from 1 to 10000000",
  ],
  [
    "a route's target and its protocol",
    EDGE + `routes: [{ to: nowhere, protocol: sshh }]`,
    "routes[0].to: expected a target with its port",
    'routes[0].protocol: unknown protocol "sshh"',
  ],
  [
    "a route's check and its listener",
    EDGE + `routes: [{ check: { interval: 1 }, listener: egde, to: "a:1" }]`,
    "routes[0].check.interval: expected a duration with its unit",
    'routes[0].listener: there is no listener "egde"',
  ],
  [
    "a route's target and what it can match",
    EDGE + `routes: [{ to: nowhere, protocol: mqtt }]`,
    "routes[0]: can never match",
    "routes[0].to: expected a target with its port",
  ],
  [
    "a route's target and who takes all of it before",
    EDGE + `routes: [{ protocol: ssh, to: nowhere }, { protocol: ssh, to: "a:1" }]`,
    "routes[0].to: expected a target with its port",
    "routes[1]: can never match",
  ],
  [
    "a host's proxy and its layer",
    `hosts: { x: { via: "no where:1", layers: [ssh, sock] } }`,
    "hosts.x.via: expected a target host",
    "hosts.x.layers[0]: ssh cannot be a layer",
    'hosts.x.layers[1]: unknown protocol "sock"',
  ],
  [
    "a host's addresses and its name",
    `hosts: { "*.x": { addresses: [nowhere] } }`,
    'hosts["*.x"]: a pattern needs via',
    'hosts["*.x"].addresses[0]: expected an address IP or IP',
  ],
  [
    "a rule's port and its protocol and listener",
    EDGE + `policy: [{ deny: { ports: 0, protocol: [socks, sock], listener: egde } }]`,
    "policy[0].deny.ports: expected a port from 1 to 65535",
    'policy[0].deny.protocol[1]: unknown protocol "sock"',
    'policy[0].deny.listener: there is no listener "egde"',
  ],
  [
    "a rule's key and its protocol",
    EDGE + `policy: [{ allow: { port: 443, protocol: sock } }]`,
    "policy[0].allow.port: unknown key",
    'policy[0].allow.protocol: unknown protocol "sock"',
  ],
  [
    "a rule's network and whom it can meet",
    EDGE + `policy: [{ deny: { addresses: 10.0.0.0/33, protocol: ssh } }]`,
    "policy[0]: can never meet a connection",
    "policy[0].deny.addresses: expected a network such as 10.0.0.0/8",
  ],
  [
    "one rule and another",
    EDGE + `policy: [{ allow: { protocol: tls, ports: 0 } }, { deny: { protocol: ssh } }]`,
    "policy[0].allow.ports: expected a port from 1 to 65535",
    "policy[1]: can never meet a connection",
  ],
  [
    "a limit and the name of a reserve",
    `limits: { perSource: 0, reserve: { shh: 5 } }`,
    "limits.perSource: expected a whole number from 1 to 10000000",
    "limits.reserve.shh: unknown protocol",
  ],
  [
    "a limit and the sum of what is reserved",
    `limits: { grace: 3, connections: 10, reserve: { ssh: 11 } }`,
    "limits.grace: expected a duration with its unit",
    "limits.reserve: 11 reserved slots are more than 10 connections",
  ],
  [
    "slots of one reserve and the name of another",
    `limits: { reserve: { ssh: none, shh: 5 } }`,
    "limits.reserve.ssh: expected a whole number from 1 to 10000000",
    "limits.reserve.shh: unknown protocol",
  ],
  [
    "metrics and the admin page",
    `admin: { metrics: nowhere, address: ":15000" }`,
    'admin.metrics: expected an address such as "',
    "admin.address: expected a loopback address or a unix socket",
  ],
  [
    "a source of discovery and one given twice",
    `discovery: [xds, dns, dns]`,
    "discovery[0]: expected one of file",
    'discovery[2]: "dns" is given twice',
  ],
  [
    "a server and a search domain",
    `dns: { servers: [nowhere], search: ["a b"] }`,
    "dns.servers[0]: expected an address IP or IP",
    "dns.search[0]: expected a name",
  ],
  [
    "a node, threads, a log and an unknown section",
    `node: { name: "a b" }\nengine: { threads: 0 }\nlog: { level: loud, format: xml }\nlgo: {}`,
    "node.name: expected a name",
    "engine.threads: expected a whole number from 1 to 256",
    "log.level: expected one of debug",
    "log.format: expected one of auto",
    "lgo: unknown key",
  ],
];

for (const [what, text, ...mistakes] of TWICE) {
  Deno.test(`${what} are told in one go`, async () => {
    equal(await mistakesOf(text), mistakes);
  });
}

Deno.test("what depends on a wrong key makes no mistake of its own", async () => {
  const once = [
    EDGE + `routes: [{ hots: a.x, to: "a:1" }, { host: b.x, to: "a:1" }]`, // all of TLS, if it were no mistake
    EDGE + `policy: [{ deny: { listener: edge, sources: nowhere } }]`, // of sources alone: it meets everyone
    `listeners: { a: { address: ":15000", to: "x:1" } }\nadmin: { address: nowhere }`, // not the default page's
    `limits: { connections: none, reserve: { ssh: 30000 } }`,
    `listeners: { a: { address: "127.0.0.1:1", protocols: [[socks]], users: { a: b } } }`,
    `listeners: { a: { address: ":1", protocols: [ssh], to: "x:1" } }\nroutes: [{ listener: a, to: "x:1" }]`,
  ];
  for (const text of once) equal((await mistakesOf(text)).length, 1, (await mistakesOf(text)).join("\n"));
});
