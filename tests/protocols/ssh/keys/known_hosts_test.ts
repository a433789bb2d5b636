/** known_hosts, asked as `ssh-keygen -F` is. */
import fc from "fast-check";
import { readKnownHosts, trustIn } from "../../../../protocols/ssh/keys/known_hosts.ts";
import { keyText } from "../../../../protocols/ssh/keys/lines.ts";
import { matchesPattern } from "../../../../protocols/ssh/keys/pattern.ts";
import { equal, ok } from "../../../support/assert.ts";
import { run } from "../../../support/child.ts";
import { mutated } from "../../../support/mutations.ts";
import { Keygen } from "../../../support/ssh_keygen.ts";

const keygen = await Keygen.make();
const [a, b, c] = await Promise.all([1, 2, 3].map(() => keygen.key("-t ed25519")));
const KEY = a.line.split(" ").slice(0, 2).join(" "), OTHER = b.line.split(" ").slice(0, 2).join(" ");

function trust(text: string, host: string, port = 22) {
  const { hosts, faults } = readKnownHosts("known", text);
  equal(faults, []);
  return trustIn(structuredClone(hosts), host, port);
}

const known = (text: string, host: string, port?: number) => trust(text, host, port).keys.length > 0;

const TEXT = `# a comment
git.example.com,192.0.2.7 ${KEY} comment
*.apps.example.com,!dev.apps.example.com ${KEY}
[gate.example.com]:15022 ${KEY}
[*.example.net]:15022 ${KEY}
host?.example.org ${KEY}
2001:db8::1 ${KEY}
MiXed.example.com ${KEY}
`;
const ASKED: [string, number][] = [
  ...["git.example.com", "GIT.example.com", "192.0.2.7", "a.apps.example.com", "dev.apps.example.com"],
  ...["apps.example.com", "gate.example.com", "host1.example.org", "host12.example.org", "2001:db8::1"],
  ...["mixed.example.com", "x.example.net", "other.example.com"],
].flatMap((host): [string, number][] => [[host, 22], [host, 15022]]);

Deno.test("names, patterns, ports and addresses are met as ssh-keygen meets them", async () => {
  const file = keygen.path("known");
  await Deno.writeTextFile(file, TEXT);
  for (const [host, port] of ASKED) {
    const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
    const { stdout } = await run("ssh-keygen", ["-F", name, "-f", file]);
    equal(known(TEXT, host, port), stdout.includes(KEY), `${host}:${port}`);
  }
});

Deno.test("hashed names are met, each under its own salt", async () => {
  const file = keygen.path("known");
  await Deno.writeTextFile(file, `git.example.com ${KEY}\n[gate.example.com]:15022 ${OTHER}\n`);
  await keygen.said("-q", "-H", "-f", file);
  const text = await Deno.readTextFile(file);
  ok(text.startsWith("|1|"));
  equal(trust(text, "Git.example.com").keys, [keyText(a.blob)]);
  equal(trust(text, "gate.example.com", 15022).keys, [keyText(b.blob)]);
  equal(trust(text, "gate.example.com").keys, []);
});

Deno.test("authorities are believed on every port of a host, revoked keys are told whatever else is", () => {
  const text = `@cert-authority *.example.com ${KEY}\n@revoked * ${OTHER}\ngate.example.com ${OTHER}\n`;
  equal(trust(text, "gate.example.com"), {
    keys: [keyText(b.blob)],
    authorities: [keyText(a.blob)],
    revoked: [keyText(b.blob)],
  });
  equal(trust(text, "gate.example.com", 15022), {
    keys: [],
    authorities: [keyText(a.blob)],
    revoked: [keyText(b.blob)],
  });
  equal(trust(text, "elsewhere.example").authorities, []);
});

Deno.test("a host may have several keys, and the same one twice is one", () => {
  const text = `h ${KEY}\nh ${OTHER}\nh,i ${KEY}\n`;
  equal(trust(text, "h").keys, [keyText(a.blob), keyText(b.blob)]);
});

Deno.test("lines that are wrong are told with their place, and take no other with them", () => {
  const text = `@owner h ${KEY}\nh ${
    KEY.slice(0, 40)
  }\n|2|x|y ${KEY}\n|1|short|y ${KEY}\nh\ngood ${c.line}\n`;
  const { hosts, faults } = readKnownHosts("known", text);
  equal(faults.map(({ place }) => place), ["known:1:1", "known:2:15", "known:3:1", "known:4:1", "known:5:2"]);
  equal(hosts.map(({ place, key }) => [place, key]), [["known:6", keyText(c.blob)]]);
});

Deno.test("patterns cost no more than the product of the lengths, whatever their stars", () => {
  ok(!matchesPattern("*a".repeat(500) + "b", "a".repeat(2000)));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 12 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 8 });
  fc.assert(fc.property(pattern, text, (pattern, text) => {
    const regex = new RegExp(
      `^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".")}$`,
    );
    equal(matchesPattern(pattern, text), regex.test(text), `${pattern} ${text}`);
  }));
});

Deno.test("damaged files give lines and faults, and never throw", () => {
  const bytes = new TextEncoder().encode(
    `@cert-authority *.a ${KEY}\n|1|${"A".repeat(27)}=|${"B".repeat(27)}= ${KEY}\n`,
  );
  fc.assert(fc.property(mutated(bytes), (damaged) => {
    const { hosts } = readKnownHosts("known", new TextDecoder().decode(damaged));
    trustIn(hosts, "x.a", 22);
  }));
});
