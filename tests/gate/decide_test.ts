import { formatTarget, parseTarget, type Target } from "../../gate/address.ts";
import { askingOf, isTrusted } from "../../gate/asking.ts";
import type { Plan } from "../../gate/decide.ts";
import type { Conn, Destination, Endpoint } from "../../gate/contracts.ts";
import { GateError } from "../../gate/errors.ts";
import type { ListenerRules } from "../../gate/snapshot.ts";
import { equal, ok } from "../support/assert.ts";
import { asking, deciderOf } from "../support/rules.ts";

type Given = Parameters<typeof deciderOf>[0];
type Who = Parameters<typeof asking>[0];

const target = (text: string): Target => parseTarget(text)!;
const at = (text: string, given: Partial<Endpoint> = {}): Endpoint => ({
  address: target(text),
  layers: [],
  ...given,
});

function answer(asked: Target, endpoints: Endpoint[], completed?: string): Destination {
  return { target: asked, completed, endpoints, source: "test", lifetime: 1000 };
}

/** What happens to a connection: the route's place, the permitted endpoints, or the failure. */
function outcome(given: Given, who: Who, endpoints: Endpoint[] = [], completed?: string): string {
  const decider = deciderOf(given);
  const ask = asking(who);
  try {
    const plan = decider.plan(ask);
    if (plan.kind === "route") return plan.route.place;
    const permitted = decider.permit(ask, plan, answer(plan.target, endpoints, completed));
    return permitted.map(({ address }) => formatTarget(address)).join(" ");
  } catch (thrown) {
    if (thrown instanceof GateError) return thrown.failure;
    throw thrown;
  }
}

Deno.test("the gate's own addresses are denied unless a rule gives address and port", () => {
  const own = [
    { host: "", port: 1080 },
    { host: "192.0.2.7", port: 443 },
    { host: "::", port: 9 },
    target("unix:/run/u.sock"),
  ];
  const on = (where: string, policy: Given["policy"] = []) =>
    outcome({ own, policy }, { trusted: true, target: target(where) }, [at(where)]);
  for (
    const where of [
      "127.0.0.1:1080",
      "127.5.5.5:1080",
      "192.0.2.7:1080",
      "[2001:db8::7]:1080",
      "192.0.2.7:443",
    ]
  ) {
    equal(on(where), "denied", where);
    equal(on(where, [{}]), "denied", where);
    equal(on(where, [{ addresses: [target(where).host] }]), "denied", where);
    equal(on(where, [{ ports: [[1, 65535]] }]), "denied", where);
    equal(on(where, [{ addresses: [target(where).host], ports: [[443, 443], [1080, 1080]] }]), where, where);
  }
  for (const where of ["0.0.0.0:9", "192.0.2.7:9", "[64:ff9b::192.0.2.7]:443", "unix:/run/u.sock"]) {
    equal(on(where), "denied");
  }
  equal(on("unix:/run/u.sock", [{ addresses: ["unix:/run/u.sock"] }]), "unix:/run/u.sock");
  for (const where of ["192.0.2.8:1080", "192.0.2.7:444", "127.0.0.1:443"]) {
    equal(on(where), where, where);
  }
  equal(on("unix:/run/v.sock"), "denied");
  const moved = outcome({ own }, { trusted: true, target: target("a.b:80") }, [
    at("127.0.0.1:1080"),
    at("10.0.0.1:80"),
  ]);
  equal(moved, "10.0.0.1:80");
});

Deno.test("denied addresses are dropped, and none left is a refusal", () => {
  const policy = [{ verdict: "deny" as const, addresses: ["10.0.0.0/8"] }, { hosts: ["a.b"] }];
  const who = { target: target("a.b:1") };
  equal(outcome({ policy }, who, [at("10.0.0.1:1"), at("192.0.2.1:1"), at("169.254.1.1:1")]), "192.0.2.1:1");
  equal(outcome({ policy }, who, [at("10.0.0.1:1")]), "denied");
  equal(outcome({ policy }, who, [{ address: { host: "x.y", port: 1 }, layers: [] }]), "denied");
  equal(outcome({ policy }, who, []), "no-route");
  equal(outcome({ policy }, { target: target("x.y:1") }, [at("192.0.2.1:1")]), "denied");
  equal(outcome({ policy: [...policy, {}] }, who, [at("192.0.2.1:1")], "a.corp"), "192.0.2.1:1");
  equal(
    outcome(
      { policy: [{ verdict: "deny", hosts: ["*.CORP".toLowerCase()] }, {}] },
      who,
      [at("192.0.2.1:1")],
      "A.Corp.",
    ),
    "denied",
  );
});

Deno.test("an upstream proxy is judged by the name, and by a literal address", () => {
  const via = { via: target("127.0.0.1:9050"), layers: ["socks"] };
  const asked = (name: string, policy: Given["policy"]) =>
    outcome({ policy }, { target: target(name) }, [at(name, via)]);
  equal(asked("x.onion:80", [{ hosts: ["*.onion"] }]), "x.onion:80");
  equal(asked("x.onion:80", [{ hosts: ["*.onion"], addresses: ["0.0.0.0/0"] }]), "denied");
  equal(asked("x.onion:80", [{ verdict: "deny", addresses: ["10.0.0.0/8"] }, {}]), "x.onion:80");
  equal(asked("10.0.0.1:80", [{ verdict: "deny", addresses: ["10.0.0.0/8"] }, {}]), "denied");
  equal(asked("169.254.169.254:80", [{}]), "denied");
  equal(
    outcome({ policy: [{ hosts: ["a.b"] }] }, { target: target("a.b:80") }, [at("169.254.169.254:80", via)]),
    "denied",
  );
});

Deno.test("a client-named target takes a route that names its protocol, after policy judged what it asked for", () => {
  const routes = [{ protocol: "socks", host: "a.b" }, { protocol: "connect" }, {}];
  equal(outcome({ routes, policy: [{ hosts: ["a.b"] }] }, { target: target("a.b:80") }), "routes[0]");
  equal(outcome({ routes, policy: [{ ports: [[443, 443]] }] }, { target: target("a.b:80") }), "denied");
  equal(outcome({ routes, policy: [{ addresses: ["0.0.0.0/0"] }] }, { target: target("a.b:80") }), "denied");
  equal(outcome({ routes }, { target: target("a.b:80"), trusted: true }), "routes[0]");
  equal(outcome({ routes }, { target: target("c.d:80"), trusted: true }, [at("10.0.0.1:80")]), "10.0.0.1:80");
  const connect = { protocol: "connect", target: target("169.254.169.254:80"), trusted: true };
  equal(outcome({ routes }, connect), "denied");
  equal(outcome({ routes }, { ...connect, target: target("10.0.0.1:80") }), "routes[1]");
});

Deno.test("TLS by a name that no route names", () => {
  const tls = {
    protocol: "tls",
    naming: "serverName" as const,
    serverName: "a.b",
    target: target("a.b:443"),
  };
  const there = [at("192.0.2.1:443")];
  equal(outcome({}, tls, there), "no-route");
  equal(outcome({ policy: [{}] }, tls, there), "no-route");
  equal(outcome({ policy: [{ protocol: ["socks"] }] }, tls, there), "no-route");
  equal(outcome({ policy: [{ protocol: ["tls"], hosts: ["a.b"] }] }, tls, there), "192.0.2.1:443");
  equal(outcome({ policy: [{}, { protocol: ["tls"], hosts: ["x.y"] }] }, tls, there), "denied");
  equal(
    outcome({ policy: [{ protocol: ["tls"], hosts: ["a.b"] }] }, { ...tls, asksUser: true }, there),
    "unauthenticated",
  );
  equal(outcome({}, { ...tls, trusted: true }, there), "192.0.2.1:443");
  equal(outcome({}, { ...tls, trusted: true, asksUser: true }, there), "unauthenticated");
  equal(outcome({}, { ...tls, trusted: true }, [at("169.254.169.254:443")]), "denied");
  equal(outcome({ routes: [{ host: "a.b" }] }, { ...tls, asksUser: true }), "routes[0]");
  equal(outcome({}, { ...tls, trusted: true, serverName: undefined, target: undefined }), "no-route");
  equal(
    outcome({}, { ...tls, trusted: true, serverName: "127.0.0.1", target: target("127.0.0.1:443") }),
    "no-route",
  );
});

Deno.test("a name of which the gate has a certificate is looked for nowhere else, unless a rule allows TLS by names", () => {
  const certificate = { place: "", names: ["*.b"], notAfter: Infinity, digest: "", chain: "", key: "" };
  const who = { protocol: "tls", naming: "serverName" as const, trusted: true };
  const asked = (name: string) => ({ ...who, serverName: name, target: target(`${name}:443`) });
  const there = [at("192.0.2.1:443")], certificates = [certificate];
  equal(outcome({ certificates }, asked("a.b"), there), "no-route");
  equal(outcome({ certificates }, asked("a.c"), there), "192.0.2.1:443");
  const policy = [{ protocol: ["tls"], hosts: ["a.b"] }];
  equal(outcome({ certificates, policy }, asked("a.b"), there), "192.0.2.1:443");
});

Deno.test("what names no destination goes by routes alone", () => {
  for (const naming of ["host", "nothing"] as const) {
    const who = {
      protocol: "x",
      naming,
      trusted: true,
      target: naming === "host" ? target("a.b:80") : undefined,
    };
    equal(outcome({ policy: [{}] }, who), "no-route");
    equal(outcome({ routes: [{ protocol: "x" }] }, { ...who, trusted: false, asksUser: true }), "routes[0]");
    const closed = { routes: [{ protocol: "x", sources: ["10.0.0.0/8"] }, { protocol: "x" }] };
    equal(outcome(closed, who), "denied");
    equal(outcome(closed, { ...who, source: undefined }), "denied");
    equal(outcome(closed, { ...who, source: "10.0.0.1" }), "routes[0]");
    const barred = { ...closed, policy: [{ verdict: "deny" as const, sources: ["10.0.0.0/9"] }] };
    equal(outcome(barred, { ...who, source: "10.0.0.1" }), "denied");
  }
});

Deno.test("where users are asked for, nobody reaches what they name without one", () => {
  const given = { policy: [{ user: ["alice"] }] };
  const who = { target: target("a.b:80"), asksUser: true };
  equal(outcome(given, who), "unauthenticated");
  equal(outcome({ ...given, routes: [{ protocol: "socks" }] }, { ...who, trusted: true }), "unauthenticated");
  equal(outcome(given, { ...who, user: "alice" }, [at("10.0.0.1:80")]), "10.0.0.1:80");
  equal(outcome(given, { ...who, user: "bob" }, [at("10.0.0.1:80")]), "denied");
});

Deno.test("a route's endpoints are the operator's word", () => {
  const decider = deciderOf({ routes: [{ protocol: "ssh" }] });
  const ask = asking({ protocol: "ssh", naming: "nothing" });
  const plan: Plan = decider.plan(ask);
  const found = answer(target("127.0.0.1:22"), [at("127.0.0.1:22")]);
  equal(decider.permit(ask, plan, found), found.endpoints);
});

Deno.test("a refusal tells what, from where and which rule", () => {
  const decider = deciderOf({ policy: [{ verdict: "deny", hosts: ["a.b"] }] });
  const told = (who: Who): string => {
    try {
      return decider.plan(asking(who)).kind;
    } catch (thrown) {
      return (thrown as Error).message;
    }
  };
  equal(
    told({ target: target("A.b:80") }),
    "Cannot connect a.b:80 from listener proxy: policy refuses it, by policy[0]",
  );
  ok(!told({ target: { host: "a\nb", port: 80 } }).includes("\n"));
});

Deno.test("trust is for listeners bound to this machine", () => {
  const rules = { proxyProtocol: [] as readonly string[] } as ListenerRules;
  for (const address of ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/a", "unix:@a"]) {
    ok(isTrusted(rules, address), address);
  }
  for (const address of [":1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1]:1", "*:1", "1", ""]) {
    ok(!isTrusted(rules, address), address);
  }
  ok(!isTrusted({ ...rules, proxyProtocol: ["127.0.0.0/8"] }, "127.0.0.1:1"));
  const conn = {
    listener: "l",
    asksUser: false,
    peer: { address: "unix", layers: [] },
    record: { protocol: "socks" },
  };
  const outer = askingOf(conn as unknown as Conn, "target", true, target("a.b:1"));
  equal([outer.trusted, outer.source, outer.protocol], [true, undefined, "socks"]);
});
