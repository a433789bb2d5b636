import { differences } from "../../../gate/config/differences.ts";
import { parseConfiguration } from "../../../gate/config/load.ts";
import { formatDuration, formatSize } from "../../../gate/config/units.ts";
import { readDuration, readSize } from "../../../gate/config/scalars.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const parsed = async (text: string) => {
  const texts = [{ file: "ugate.yaml", text: `node: { name: pi, state: /state }\n${text}` }];
  return (await parseConfiguration(texts, toyProtocols, { get: () => undefined })).config;
};

const SECTIONS: [what: string, before: string, after: string, changes: string[]][] = [
  [
    "limits are told in their units",
    "limits: { grace: 8s, headSize: 64KiB, perSource: 10 }",
    "limits: { grace: 6s, headSize: 16KiB, perSource: 12, idleTimeout: 90m }",
    [
      "limits.perSource: 12 instead of 10",
      "limits.idleTimeout: 90m instead of 1h",
      "limits.headSize: 16KiB instead of 64KiB",
      "limits.grace: 6s instead of 8s",
    ],
  ],
  ["reserved slots", "limits: { reserve: { ssh: 5, tls: 7 } }", "log: {}", [
    "limits.reserve: { } instead of { ssh: 5, tls: 7 }",
  ]],
  ["the log", "log: { level: warn }", "log: { level: debug, format: json }", [
    "log.level: debug instead of warn",
    "log.format: json instead of auto",
  ]],
  [
    "the admin page and the metrics",
    'admin: { metrics: ":15020" }',
    'admin: { address: "unix:/run/a", metrics: off }',
    [
      "admin.address: unix:/run/a instead of 127.0.0.1:15000",
      "admin.metrics: off instead of :15020",
    ],
  ],
  ["the DNS", "dns: { servers: [10.0.0.53, 10.0.0.54] }", "dns: { search: [a.example, b.example] }", [
    "dns.servers: what /etc/resolv.conf says instead of [10.0.0.53:53, 10.0.0.54:53]",
    "dns.search: [a.example, b.example] instead of what /etc/resolv.conf says",
  ]],
  ["who is asked for names", "log: {}", "discovery: [dns]", [
    "discovery: [dns] instead of [file, mesh, dns]",
  ]],
];

for (const [what, before, after, changes] of SECTIONS) {
  Deno.test(`a change is told as ugate.yaml spells it: ${what}`, async () => {
    equal(differences(await parsed(before), await parsed(after)), { changes, restart: [] });
    equal(differences(await parsed(after), await parsed(after)).changes, []);
  });
}

Deno.test("what is gone from a listener is told: without users, nobody is asked for a password any more", async () => {
  const listener = (more: string) =>
    parsed(`listeners: { edge: { address: "127.0.0.1:1", protocols: [socks]${more} } }`);
  const before = await listener(`, users: { alice: hunter2 }, fallback: "127.0.0.1:2"`);
  const changes = differences(before, await listener("")).changes;
  equal(changes.length, 1);
  equal(changes[0].replace(/^listener edge: /, "").split(", ").sort(), ["fallback", "users changed"].sort());
});

Deno.test("a change of users names nobody and no password", async () => {
  const users = (map: string) =>
    parsed(`listeners: { edge: { address: "127.0.0.1:1", protocols: [socks], users: ${map} } }`);
  equal(differences(await users("{ alice: hunter2 }"), await users("{ alice: hunter3 }")).changes, [
    "listener edge: users changed",
  ]);
});

Deno.test("durations and sizes are spelled so that they are read as what they were", () => {
  const durations: [number, string][] = [
    [0, "0s"],
    [1, "1ms"],
    [1500, "1500ms"],
    [6000, "6s"],
    [90_000, "90s"],
    [120_000, "2m"],
    [3_600_000, "1h"],
  ];
  for (const [ms, text] of durations) equal([formatDuration(ms), readDuration(text, 0)], [text, ms]);
  const sizes: [number, string][] = [[1000, "1000B"], [1024, "1KiB"], [65_536, "64KiB"], [1 << 20, "1MiB"]];
  for (const [bytes, text] of sizes) equal([formatSize(bytes), readSize(text)], [text, bytes]);
});
