/** Registrations as routes behind those of the file. */
import type { Asking } from "../../../gate/asking.ts";
import { Decider } from "../../../gate/decide.ts";
import { asGateError } from "../../../gate/errors.ts";
import { LiveNames } from "../../../gate/mesh/live_names.ts";
import { LiveRoutes } from "../../../gate/mesh/live_routes.ts";
import type { ListenerRules } from "../../../gate/snapshot.ts";
import { equal } from "../../support/assert.ts";
import { asking, requested, snapshotOf } from "../../support/rules.ts";

const listener = (name: string, ...protocols: string[]) => ({ name, protocols }) as unknown as ListenerRules;

/** pi has 80 and 443, web 80 alone, tls 443 alone. */
function decider(given: Parameters<typeof snapshotOf>[0] = {}): Decider {
  const names = new LiveNames();
  names.apply({
    live: [["pi.m", 80], ["pi.m", 443], ["web.m", 80], ["tls.m", 443], ["ssh.m", 15022]].map((
      [name, port],
      id,
    ) => (
      { id, connection: 1, engine: 0, names: [name as string], port: port as number }
    )),
    gone: [],
  });
  const certificates = ["web.m", "tls.m"].map((name) => (
    { place: name, names: [name], notAfter: 0, digest: "", chain: "", key: "" }
  ));
  const listeners = { edge: listener("edge", "tls", "http"), tls: listener("tls", "tls") };
  return new Decider(snapshotOf({ listeners, certificates, ...given }), () => false, new LiveRoutes(names));
}

const sni = (name: string, given: Partial<Asking> = {}) =>
  asking({
    ...{ listener: "edge", protocol: "tls", naming: "serverName", serverName: name },
    ...{ target: { host: name, port: 443 }, ...given },
  });
const host = (name: string, given: Partial<Asking> = {}) =>
  asking({
    ...{ listener: "edge", protocol: "http", naming: "host", target: { host: name, port: 80 } },
    ...{ request: requested("/"), ...given },
  });

/** The place of the route, whether TLS ends there; or the failure. */
function way(of: Decider, what: Asking): string {
  try {
    const plan = of.plan(what);
    if (plan.kind !== "route") return "asked";
    return plan.route.place + (of.certificate(what, plan) ? " ends" : "");
  } catch (thrown) {
    return asGateError(thrown).failure;
  }
}

Deno.test("SNI goes to 443 as it is, a Host in clear to 80; with 80 alone TLS ends here", () => {
  const of = decider();
  equal(["pi.m", "web.m", "tls.m"].map((name) => way(of, sni(name))), [
    "mesh pi.m:443",
    "mesh web.m:80 ends",
    "mesh tls.m:443",
  ]);
  equal(["pi.m", "web.m"].map((name) => way(of, host(name))), ["mesh pi.m:80", "mesh web.m:80"]);
  equal(way(of, sni("PI.M.")), "mesh pi.m:443");
});

Deno.test("every other name stays closed, and so does what a name does not offer", () => {
  const of = decider();
  equal(["eve.m", "x.pi.m", "m", "ssh.m"].map((name) => way(of, sni(name))), Array(4).fill("no-route"));
  equal(["eve.m", "tls.m", "ssh.m"].map((name) => way(of, host(name))), Array(3).fill("no-route"));
  equal(way(of, sni("web.m", { listener: "tls" })), "no-route"); // nobody speaks HTTP there
  equal(way(of, sni("tls.m", { listener: "tls" })), "mesh tls.m:443");
});

Deno.test("the file's routes come first", () => {
  const of = decider({
    routes: [
      { host: "tls.m", to: [] },
      { host: "pi.m", http: {}, path: { prefix: "/api" }, to: [] },
    ],
  });
  equal(way(of, sni("tls.m")), "routes[0]");
  equal(way(of, host("pi.m", { request: requested("/api") })), "routes[1]");
  equal(way(of, host("pi.m")), "mesh pi.m:80");
});

Deno.test("an explicit deny refuses, the default does not", () => {
  const of = decider({
    policy: [
      { verdict: "deny", hosts: ["pi.m"], ports: [[443, 443]], sources: ["203.0.113.0/24"] },
      { hosts: ["tls.m"], protocol: ["tls"] },
      { verdict: "deny", hosts: ["tls.m"] },
    ],
  });
  equal(way(of, sni("pi.m")), "denied");
  equal(way(of, sni("pi.m", { source: "198.51.100.1" })), "mesh pi.m:443");
  equal([way(of, host("pi.m")), way(of, sni("tls.m"))], ["mesh pi.m:80", "mesh tls.m:443"]);
});

Deno.test("where the file passes HTTP on as it comes, so do registrations", () => {
  const of = decider({ routes: [{ protocol: "http", host: "a.x", to: [] }] });
  const plan = of.plan(host("web.m", { request: undefined }));
  equal(plan.kind === "route" && [plan.route.place, plan.route.http], ["mesh web.m:80", undefined]);
  equal([of.handles("edge"), decider().handles("edge"), decider().handles("tls")], [false, true, false]);
  equal(way(of, sni("web.m")), "no-route"); // nobody would handle what is inside
});

Deno.test("a request in TLS that ended here for another name is misdirected where its own is passed on", () => {
  const of = decider();
  equal(of.misdirected(host("tls.m"), "tls")?.failure, "no-route");
  equal(of.misdirected(host("web.m"), "tls"), undefined);
});
