/** Identities as policies spell them: read, compared, and judged by rules. */
import fc from "fast-check";
import { parseTarget } from "../../../gate/address.ts";
import {
  type Identity,
  isNamed,
  keyName,
  principalName,
  readIdentityName,
  readSpiffeId,
  roleName,
  sshName,
  supposedIdentity,
  tokenName,
} from "../../../gate/identity/identity.ts";
import { Policy } from "../../../gate/policy.ts";
import { equal } from "../../support/assert.ts";
import { asking, snapshotOf } from "../../support/rules.ts";

const ID = "GJU4ACOW36Q3IBL45T2TRQ63M6FNQYEJMLPJNDJETIOVIEFD7MGQ";
const PRINT = "SHA256:JbA4hxqaEsGQn4DcQKP3T8vKx0lbhYs1hTBmQ3oQ7sE";

Deno.test("every kind of name is read, in one spelling", () => {
  const names = [
    `key:${ID}`,
    `ssh:${PRINT}`,
    `principal:alice@${PRINT}`,
    `principal:alice@example.com@${PRINT}`,
    "jwt:https://login.example.com#248289",
    "jwt:https://login.example.com/realms/a#x#y",
    "spiffe://cluster.local/ns/db/sa/pg",
    "role:admin",
    "any",
  ];
  for (const name of names) equal(readIdentityName(name), name);
  equal(readIdentityName(`key:${ID.toLowerCase()}`), `key:${ID}`);
  equal(readIdentityName("spiffe://Cluster.Local/ns/DB"), "spiffe://cluster.local/ns/DB");
});

Deno.test("what is none of them is refused", () => {
  const wrong = [
    ...["", "alice", "Any", "key:", `key:${ID}=`, `key:${ID.slice(1)}`, `KEY:${ID}`, ` key:${ID}`],
    ...[`ssh:${PRINT}=`, "ssh:MD5:00", `ssh:${PRINT.slice(0, -1)}F`, PRINT],
    ...[`principal:@${PRINT}`, "principal:alice", "principal:alice@SHA256:short", `principal:a\n@${PRINT}`],
    ...["jwt:https://a", "jwt:https://a#", "jwt:#b", "jwt:ftp://a#b", "jwt:a#b"],
    ...[
      "spiffe://",
      "spiffe:///a",
      "spiffe://a/",
      "spiffe://a/../b",
      "spiffe://a//b",
      "spiffe://a/b?c",
      "spiffe:a",
    ],
    ...["role:", "role:a b", `role:${"x".repeat(65)}`, "user:alice"],
  ];
  for (const text of wrong) equal(readIdentityName(text), undefined, text);
  equal(readSpiffeId(`spiffe://a/${"x".repeat(2048)}`), undefined);
});

Deno.test("names that the parts of the gate make are in that spelling", () => {
  const made = [
    keyName(ID),
    sshName(PRINT),
    principalName("a@b", PRINT),
    tokenName("https://a", "s"),
    roleName("r"),
  ];
  for (const name of made) equal(readIdentityName(name), name);
});

Deno.test("no principal and no subject is taken for another authority's", () => {
  const other = `SHA256:${"A".repeat(43)}`;
  fc.assert(fc.property(fc.string(), (text) => {
    const lies = [principalName(`${text}@${PRINT}`, other), principalName(`alice@${PRINT}${text}`, other)];
    for (const name of lies) equal(name === principalName("alice", PRINT), false);
    equal(
      tokenName("https://evil.example", `${text}https://good#alice`) === tokenName("https://good", "alice"),
      false,
    );
  }));
});

Deno.test("any text is a name in its one spelling, or none", () => {
  const kinds = fc.constantFrom(
    "key:",
    "ssh:SHA256:",
    "principal:",
    "jwt:https://",
    "spiffe://",
    "role:",
    "",
  );
  fc.assert(fc.property(kinds, fc.string({ maxLength: 80 }), (kind, text) => {
    const read = readIdentityName(kind + text);
    if (read !== undefined) equal(readIdentityName(read), read);
  }));
});

Deno.test("a rule is for who has one of its names, and `any` for everybody proven", () => {
  const alice: Identity = { name: "role:admin", names: ["role:admin", `key:${ID}`], proof: "ssh key" };
  const named = (...names: string[]) => isNamed(new Set(names), alice);
  equal([named("role:admin"), named(`key:${ID}`, "role:x"), named("role:x"), named("any"), named()], [
    ...[true, true, false, true, false],
  ]);
  equal(isNamed(new Set(["any"]), undefined), false);
});

Deno.test("policy judges by identity: whom it allows, whom it denies, and who has proven nothing", () => {
  const policy = new Policy(
    snapshotOf({
      policy: [
        { verdict: "deny", identity: ["role:guest"], ports: [[22, 22]] },
        { identity: [`key:${ID}`, "role:guest"], hosts: ["*.example.com"] },
        { identity: ["any"], hosts: ["open.example.net"] },
      ],
    }),
    () => false,
  );
  const verdict = (to: string, ...names: string[]) => {
    const identity = names.length > 0 ? supposedIdentity(names) : undefined;
    return policy.judge(asking({ identity }), { target: parseTarget(to)! }, "unresolved").verdict;
  };
  equal(verdict("a.example.com:22", `key:${ID}`), "allow");
  equal(verdict("a.example.com:22", `key:${ID}`, "role:guest"), "deny");
  equal(verdict("a.example.com:80", "role:guest"), "allow");
  equal(verdict("a.example.com:80", "role:other"), "deny");
  equal(verdict("a.example.com:80"), "deny");
  equal(verdict("open.example.net:80", "role:other"), "allow");
  equal(verdict("open.example.net:80"), "deny");
});
