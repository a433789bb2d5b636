/**
 * Texts that are no configuration, and values of sections without a file of their own here; and what holds for every
 * mistake.
 */
import { equal, ok } from "../../support/assert.ts";
import { EDGE, HOSTS, LOCAL, problemsOf, refused } from "./refused.ts";

refused([
  ["an empty file", "", "", /the file is empty/],
  ["a file of comments", "# nothing\n", "", /the file is empty/],
  ["no map", "- a\n", "", /expected a map of keys/],
  ["a tab", "listeners:\n^\tedge: {}\n", "", /a tab indents/],
  ["two documents", `${EDGE}^---\n${EDGE}`, "", /expected one YAML document/],
  ["a missing brace", `listeners: { a: 1\n^`, "", /missing/],
  ["an unknown tag", `log: { level: ^!secret info }`, "", /a tag/],
  ["an alias without an anchor", `admin: ^*nobody`, "admin", /an alias without an anchor/],
  ["an unknown section", `^lisetners: {}\n`, "lisetners", /unknown key; did you mean "listeners"\?/],
  ["a key of later", `${EDGE}^connect: []\n`, "connect", /unknown key; expected one of node, listeners/],
  [
    "an unknown key",
    LOCAL("protocols: [socks], ^sniffTimout: 3s"),
    "listeners.a.sniffTimout",
    /unknown key; did you mean "sniffTimeout"\?/,
  ],
  ["__proto__", `^__proto__: {}\n`, "", /expected a text as key/],
  [
    "a key given twice",
    `log: { level: info }\n^log: { level: warn }\n`,
    "log",
    /given twice, first at ugate\.yaml:1:1/,
  ],
  ["an unset variable", "log: { level: ^'${LEVEL}' }", "log.level", /the environment has no LEVEL$/],
  ["half a variable", "log: { level: ^'${LEVEL' }", "log.level", /expected \$\{NAME\}/],
  [
    "a log level",
    "log: { level: ^loud }",
    "log.level",
    /expected one of debug, info, warn, error, got "loud"/,
  ],
  ["too large a size", "limits: { headSize: ^65KiB }", "limits.headSize", /expected .*64KiB/],
  ["a size", "limits: { headSize: ^64KB }", "limits.headSize", /expected a size such as 64KiB/],
  [
    "a number",
    "limits: { connections: ^many }",
    "limits.connections",
    /expected a whole number from 1 to 10000000, got "many"/,
  ],
  [
    "too many reserved",
    "limits: { connections: 10, reserve: ^{ ssh: 6, tls: 5 } }",
    "limits.reserve",
    /11 reserved slots are more than 10/,
  ],
  [
    "a reserve of nobody's",
    "limits: { reserve: { ^shh: 6 } }",
    "limits.reserve.shh",
    /unknown protocol; did you mean "ssh"/,
  ],
  [
    "a key of SSH that is not there",
    "ssh: { identities: [agent, ^/nowhere/key] }",
    "ssh.identities[1]",
    /Cannot read \/nowhere\/key: there is no such file/,
  ],
  [
    "known hosts that are not there",
    "ssh: { knownHosts: [^/nowhere/known] }",
    "ssh.knownHosts[0]",
    /Cannot read \/nowhere\/known: there is no such file/,
  ],
]);

Deno.test("all mistakes of a file are reported at once, in the order of their lines", async () => {
  const problems = await problemsOf(`listeners:
  edge: { address: ":99999", protocols: [tls] }
  pg: { adress: ":5432", to: "pg:5432" }
  proxy: { address: ":1080", protocols: [socks] }
routes:
  - { host: "-*-", to: "a:1" }
  - { protocol: ssh, to: "http://a" }
  - { protocol: socks, listener: prxy, to: "a:1" }
hosts:
  x: { layers: [socks] }
policy:
  - { deny: { sources: 10.0.0.0/40, ports: 0 } }
limits: { connections: 0 }
lgo: { level: info }
`);
  const places = problems.map((problem) => problem.slice(0, problem.indexOf(": ")));
  equal(places, [
    "ugate.yaml:2:20 listeners.edge.address",
    "ugate.yaml:3:7 listeners.pg.address",
    "ugate.yaml:3:9 listeners.pg.adress",
    "ugate.yaml:6:13 routes[0].host",
    "ugate.yaml:7:17 routes[1].protocol",
    "ugate.yaml:7:26 routes[1].to",
    "ugate.yaml:8:34 routes[2].listener",
    "ugate.yaml:10:6 hosts.x",
    "ugate.yaml:10:16 hosts.x.layers",
    "ugate.yaml:12:24 policy[0].deny.sources",
    "ugate.yaml:12:44 policy[0].deny.ports",
    "ugate.yaml:13:24 limits.connections",
    "ugate.yaml:14:1 lgo",
  ]);
});

Deno.test("what is left out for its own mistake makes no second one", async () => {
  const problems = await problemsOf(`listeners:
  edge: { address: ":1", protocols: [tls, shh] }
routes:
  - { protocol: ssh, to: "a:1" }
  - { listener: edge, protocol: ssh, to: "b:1" }
policy:
  - { deny: { listener: edge, protocol: ssh } }
`);
  equal(problems.length, 1, problems.join("\n"));
});

Deno.test("no message shows a password", async () => {
  const secrets = [
    LOCAL("protocols: [socks], users: { alice: [hunter2] }"),
    LOCAL("protocols: [socks], users: { alice: 'scrypt:hunter2' }"),
    LOCAL("protocols: [socks], users: hunter2"),
    LOCAL("protocols: [socks], users: [hunter2]"),
    LOCAL("protocols: [socks], users: '${SECRET}'"),
    LOCAL("protocols: [socks], user: { alice: hunter2 }"),
    LOCAL("protocols: [socks], users: { alice: hunter2: x }"),
    LOCAL("protocols: [socks], users: { alice: @hunter2 }"),
    LOCAL("protocols: [socks], users: { alice: !hunter2 x }"),
    LOCAL("protocols: [socks], users: { alice: *hunter2 }"),
    LOCAL("protocols: [socks], users: { alice: 'x' hunter2 }"),
    HOSTS(`x: { via: "a:1", layers: [socks], credentials: hunter2 }`),
    HOSTS(`x: { via: "a:1", layers: [socks], credentials: [hunter2] }`),
    HOSTS(`x: { via: "alice:hunter2@proxy:1080", layers: [socks] }`),
    HOSTS(`x: { via: "http://alice:hunter2@proxy:1080", layers: [socks] }`),
    HOSTS("x: { via: '${SECRET}', layers: [socks] }"),
    LOCAL("protocols: [socks], users: { alice:hunter2 }"),
    LOCAL(`protocols: [socks], users: { "alice:hunter2": x }`),
    HOSTS(`"alice:hunter2@x": { addresses: ["10.0.0.1"] }`),
  ];
  for (const text of secrets) {
    const problems = (await problemsOf(text)).join("\n");
    ok(problems !== "", text);
    equal(problems.includes("hunter2"), false, problems);
  }
});

Deno.test("random texts are refused with places, whatever they are", async () => {
  const { default: fc } = await import("fast-check");
  const pieces = fc.constantFrom(
    ...[
      "listeners",
      "routes",
      "policy",
      "hosts",
      "to",
      ": ",
      "\n",
      "  ",
      "- ",
      "{",
      "}",
      "[",
      "]",
      ",",
      '"',
      "'",
      "&a",
      "*a",
    ],
    ...[
      "|",
      ">",
      "!x",
      "#",
      "a",
      "edge",
      "allow",
      "address",
      ":1",
      "${A}",
      "$${",
      "\t",
      "?",
      "null",
      "10.0.0.1",
      "---",
      "%",
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 40 }), async (parts) => {
      await problemsOf(parts.join(""));
    }),
    { numRuns: 500 },
  );
});
