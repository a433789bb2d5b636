import fc from "fast-check";
import { parseTarget } from "../../gate/address.ts";
import type { Asking } from "../../gate/asking.ts";
import { Policy, type Where } from "../../gate/policy.ts";
import { equal, ok } from "../support/assert.ts";
import { asking, snapshotOf } from "../support/rules.ts";

type Given = Parameters<typeof snapshotOf>[0];

const policyOf = (given: Given) => new Policy(snapshotOf(given), () => false);
const target = (text: string) => parseTarget(text)!;

/** The verdict on `asked`, resolved to `where`; several: under one policy. */
function judged(policy: Given["policy"], asked: string, where: string, who: Partial<Asking> = {}): string {
  const place: Where = where === "unresolved" || where === "elsewhere" ? where : target(where);
  return policyOf({ policy }).judge(asking(who), { target: target(asked) }, place).verdict;
}

Deno.test("without a rule, deny; on a listener of this machine itself, allow", () => {
  equal(judged([], "a.b:1", "unresolved"), "deny");
  equal(judged([], "a.b:1", "10.0.0.1:1"), "deny");
  equal(judged([], "a.b:1", "unresolved", { trusted: true }), "allow");
  equal(judged([], "a.b:1", "10.0.0.1:1", { trusted: true }), "allow");
  equal(judged([], "a.b:1", "127.0.0.1:1", { trusted: true }), "allow");
  // A unix socket that a client names is more than loopback: the gate may have rights there that its clients have not.
  equal(judged([], "unix:/a", "unix:/a", { trusted: true }), "deny");
  equal(judged([{ verdict: "deny", hosts: ["a.b"] }], "a.b:1", "unresolved", { trusted: true }), "deny");
});

Deno.test("all keys of a rule have to match, and any one of a list", () => {
  const rule = {
    listener: ["proxy", "x"],
    protocol: ["socks", "connect"],
    user: ["alice", "bob"],
    sources: ["203.0.113.0/24", "fd00::/8"],
    hosts: ["a.b", "*.c"],
    addresses: ["10.0.0.0/8", "192.0.2.1"],
    ports: [[443, 443], [8000, 8999]] as [number, number][],
  };
  const alice: Partial<Asking> = { user: "alice" };
  equal(judged([rule], "a.b:443", "10.0.0.1:443", alice), "allow");
  equal(
    judged([rule], "x.y.c:8999", "192.0.2.1:8999", { user: "bob", protocol: "connect", listener: "x" }),
    "allow",
  );
  const missing: [string, string, Partial<Asking>][] = [
    ["c:443", "10.0.0.1:443", alice],
    ["10.0.0.1:443", "10.0.0.1:443", alice],
    ["a.b:444", "10.0.0.1:444", alice],
    ["a.b:9000", "10.0.0.1:9000", alice],
    ["a.b:443", "11.0.0.1:443", alice],
    ["a.b:443", "10.0.0.1:443", {}],
    ["a.b:443", "10.0.0.1:443", { user: "eve" }],
    ["a.b:443", "10.0.0.1:443", { ...alice, source: "203.0.114.1" }],
    ["a.b:443", "10.0.0.1:443", { ...alice, source: undefined }],
    ["a.b:443", "10.0.0.1:443", { ...alice, protocol: "hbone" }],
    ["a.b:443", "10.0.0.1:443", { ...alice, listener: "other" }],
  ];
  for (const [asked, where, who] of missing) {
    equal(judged([rule], asked, where, who), "deny", `${asked} ${where}`);
  }
});

Deno.test("before resolving, a verdict is certain only where no answer can change it", () => {
  const deny = { verdict: "deny" as const };
  const net = { addresses: ["10.0.0.0/8"] };
  const table: [Given["policy"], string][] = [
    [[{ hosts: ["a.b"] }], "allow"],
    [[{ ...net }], "maybe"],
    [[{ ...deny, ...net }], "deny"],
    [[{ ...deny, ...net }, {}], "maybe"],
    [[{ ...net }, { ...deny }], "maybe"],
    [[{ ...net }, {}], "allow"],
    [[{ ...deny, ...net }, { ...deny, hosts: ["a.b"] }], "deny"],
    [[{ ...net }, { ...deny, ...net }, {}], "maybe"],
    [[{ ...deny, hosts: ["a.b"] }, {}], "deny"],
    [[{ hosts: ["x"] }, { ...deny, ports: [[1, 1]] }, {}], "deny"],
  ];
  for (const [policy, verdict] of table) {
    equal(judged(policy, "a.b:1", "unresolved"), verdict, JSON.stringify(policy));
  }
  equal(judged([{ ...deny, ...net }, {}], "a.b:1", "10.0.0.1:1"), "deny");
  equal(judged([{ ...deny, ...net }, {}], "a.b:1", "11.0.0.1:1"), "allow");
  equal(judged([{ ...net }], "a.b:1", "elsewhere"), "deny");
  equal(judged([{ ...deny, ...net }, {}], "a.b:1", "elsewhere"), "allow");
  equal(judged([{ ...deny, ...net }, {}], "10.0.0.1:1", "elsewhere"), "deny");
});

Deno.test("no address is judged otherwise than its name was, where that was certain", () => {
  const some = <T>(...of: T[]) => fc.option(fc.subarray(of, { minLength: 1 }), { nil: undefined });
  const rule = fc.record({
    verdict: fc.constantFrom("allow" as const, "deny" as const),
    hosts: some("a.b", "*.b", "c"),
    addresses: some("10.0.0.0/8", "10.1.0.0/16", "::/0", "0.0.0.0/0"),
    ports: some([1, 1] as const, [2, 3] as const),
  });
  const ip = fc.constantFrom("10.0.0.1", "10.1.0.1", "8.8.8.8", "[2001:db8::1]");
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 5 }),
      fc.constantFrom("a.b", "c", "d"),
      ip,
      fc.constantFrom(1, 2),
      fc.boolean(),
      (policy, host, ip, port, trusted) => {
        const before = judged(policy, `${host}:${port}`, "unresolved", { trusted });
        const after = judged(policy, `${host}:${port}`, `${ip}:${port}`, { trusted });
        ok(after !== "maybe" && (before === "maybe" || before === after), `${before}, then ${after}`);
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("metadata and link-local addresses are opened only by a rule whose addresses lie inside them", () => {
  const wide: Given["policy"][] = [
    [],
    [{}],
    [{ addresses: ["0.0.0.0/0", "::/0"] }],
    [{ addresses: ["168.0.0.0/5", "fe00::/8", "fd00::/8", "100.64.0.0/10", "0.0.0.0/1"], ports: [[80, 80]] }],
    [{ hosts: ["a.b"] }],
  ];
  const open = {
    addresses: ["169.254.169.254", "fe80::/10", "fd00:ec2::254", "168.63.129.16/32", "100.100.100.200"],
  };
  for (const ip of ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "168.63.129.16", "100.100.100.200"]) {
    for (const trusted of [false, true]) {
      for (const policy of wide) equal(judged(policy, "a.b:80", `${ip}:80`, { trusted }), "deny", ip);
      equal(judged([open], "a.b:80", `${ip}:80`, { trusted }), "allow", ip);
      equal(judged([{ ...open, verdict: "deny" }, open], "a.b:80", `${ip}:80`, { trusted }), "deny", ip);
    }
  }
  equal(judged([{ addresses: ["64:ff9b::169.254.169.254"] }], "a.b:80", "169.254.169.254:80"), "allow");
});

Deno.test("beyond loopback, so are loopback and unix sockets", () => {
  const wide: Given["policy"][] = [[{}], [{ addresses: ["0.0.0.0/0", "::/0"] }], [{ hosts: ["*"] }], [{
    ports: [[0, 80]],
  }]];
  for (
    const at of [
      "127.0.0.1:80",
      "127.9.9.9:80",
      "[::1]:80",
      "0.0.0.0:80",
      "[::]:80",
      "[64:ff9b::7f00:1]:80",
      "unix:/a",
    ]
  ) {
    for (const policy of wide) equal(judged(policy, "a.b:80", at), "deny", at);
    equal(judged([{ addresses: ["127.0.0.0/8", "::1", "unix:/a"] }], "a.b:80", at), "allow", at);
  }
  equal(judged([{ addresses: ["unix:/b"] }], "unix:/a", "unix:/a"), "deny");
});

Deno.test("a loopback address that hosts gives needs no more than an allow, under the name it gives it for", () => {
  const policy = policyOf({
    policy: [{ ports: [[80, 80]] }],
    hostAddresses: ["db.internal", "127.0.0.1", "169.254.1.1"],
  });
  const on = (asked: string, at: string) =>
    policy.judge(asking(), { target: target(asked) }, target(at)).verdict;
  equal(on("db.internal:80", "127.0.0.1:80"), "allow");
  equal(on("db.internal:81", "127.0.0.1:81"), "deny");
  equal(on("db.internal:80", "127.0.0.2:80"), "deny");
  equal(on("db.internal:80", "169.254.1.1:80"), "deny");
  equal(on("evil.example:80", "127.0.0.1:80"), "deny");
  equal(on("127.0.0.1:80", "127.0.0.1:80"), "deny");
  const completed = { target: target("db:80"), completed: "db.internal" };
  equal(policy.judge(asking(), completed, target("127.0.0.1:80")).verdict, "allow");
});

Deno.test("an answer that leads to another port opens and passes nothing by it", () => {
  const deny22 = [{ verdict: "deny" as const, ports: [[22, 22] as const] }, {}];
  equal(judged(deny22, "a.b:443", "10.0.0.1:22"), "deny");
  equal(judged(deny22, "a.b:22", "10.0.0.1:443"), "deny");
  equal(judged([{ addresses: ["10.0.0.0/8"], ports: [[443, 443]] }], "a.b:443", "10.0.0.1:22"), "deny");
  equal(judged([{ ports: [[443, 443]] }], "_x._tcp.a.b:443", "10.0.0.1:22"), "deny");
  equal(judged([{ ports: [[22, 22], [443, 443]] }], "_x._tcp.a.b:443", "10.0.0.1:22"), "allow");
  equal(judged([{ hosts: ["a.b"], ports: [[443, 443]] }], "a.b:443", "10.0.0.1:8443"), "allow");
  equal(judged([{ hosts: ["a.b"], ports: [[8443, 8443]] }], "a.b:443", "10.0.0.1:8443"), "deny");
});

Deno.test("where hosts gives an address with a port, a rule of ports judges the one asked for", () => {
  const policy = policyOf({ policy: [{ ports: [[443, 443]] }], hostAddresses: ["db.internal", "10.0.0.1"] });
  const on = (asked: string, where: string) =>
    policy.judge(asking(), { target: target(asked) }, target(where)).verdict;
  equal(on("db.internal:443", "10.0.0.1:8443"), "allow");
  equal(on("db.internal:8443", "10.0.0.1:8443"), "deny");
  equal(on("evil.example:443", "10.0.0.1:8443"), "deny");
});

Deno.test("a completed name is judged too: a deny of either refuses", () => {
  const judge = (policy: Given["policy"], trusted: boolean) =>
    policyOf({ policy }).judge(
      asking({ trusted }),
      { target: target("db:1"), completed: "db.corp" },
      target("10.0.0.1:1"),
    ).verdict;
  equal(judge([{ verdict: "deny", hosts: ["*.corp"] }, {}], false), "deny");
  equal(judge([{ verdict: "deny", hosts: ["*.corp"] }], true), "deny");
  equal(judge([{ verdict: "deny", hosts: ["db"] }], true), "deny");
  equal(judge([{ hosts: ["db"] }], false), "deny");
  equal(judge([{ hosts: ["db", "*.corp"] }], false), "allow");
});

Deno.test("a deny by source alone holds for every connection, unless an earlier allow speaks for it", () => {
  const deny = { verdict: "deny" as const, sources: ["10.0.0.0/8"] };
  const on = (policy: Given["policy"], source: string | undefined, listener = "proxy") => {
    const it = policyOf({ policy });
    return [it.barred(listener, source), it.barredRouted(listener, source)];
  };
  const first = ["policy[0]", "policy[0]"],
    second = ["policy[1]", "policy[1]"],
    free = [undefined, undefined];
  equal(on([deny], "10.1.1.1"), first);
  equal(on([deny], "::ffff:10.1.1.1"), first);
  equal(on([deny], "11.1.1.1"), free);
  equal(on([deny], undefined), free);
  equal(on([{ ...deny, listener: ["edge"] }], "10.1.1.1"), free);
  equal(on([{ ...deny, listener: ["edge"] }], "10.1.1.1", "edge"), first);
  equal(on([{ ...deny, ports: [[1, 1]] }], "10.1.1.1"), free);
  equal(on([{ verdict: "deny" }], "10.1.1.1"), free);
  equal(on([{ sources: ["10.0.0.5"] }, deny], "10.0.0.5"), free);
  equal(on([{ sources: ["10.0.0.5"] }, deny], "10.0.0.6"), second);
  equal(on([{ hosts: ["a.b"] }, deny], "10.0.0.5"), [undefined, "policy[1]"]);
});

Deno.test("a network given in the spelling of the answer holds, too", () => {
  const deny = (addresses: string[]) => [{ verdict: "deny" as const, addresses }, {}];
  equal(judged(deny(["64:ff9b::/96"]), "a.b:1", "[64:ff9b::8.8.8.8]:1"), "deny");
  equal(judged(deny(["0.0.0.0/8"]), "a.b:1", "0.0.0.0:1", { trusted: true }), "deny");
  equal(judged([{ addresses: ["64:ff9b::/96"] }], "a.b:1", "[64:ff9b::8.8.8.8]:1"), "allow");
  equal(judged([{ addresses: ["64:ff9b::/96"] }], "a.b:1", "[64:ff9b::169.254.1.1]:1"), "deny");
  equal(judged([{ addresses: ["64:ff9b::/96"] }], "a.b:1", "8.8.8.8:1"), "deny");
});
