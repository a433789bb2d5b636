import fc from "fast-check";
import { routeMiss, Router } from "../../gate/match.ts";
import type { Naming } from "../../gate/contracts.ts";
import { asking, snapshotOf } from "../support/rules.ts";
import { equal, ok } from "../support/assert.ts";

const NAMING: Record<string, Naming> = {
  socks: "target",
  connect: "target",
  http: "host",
  tls: "serverName",
  ssh: "nothing",
};

function seen(protocol: string, host?: string, listener = "edge") {
  const naming = NAMING[protocol];
  const target = host === undefined || naming === "nothing" ? undefined : { host, port: 443 };
  return asking({
    listener,
    protocol,
    naming,
    target,
    serverName: naming === "serverName" ? host : undefined,
  });
}

Deno.test("the first route of the file that matches wins, whatever its kind", () => {
  const label = fc.constantFrom("a", "b", "c");
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  const pattern = fc.oneof(name, name.map((n) => `*.${n}`), fc.constant("*"));
  const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
  const route = fc.record({
    listener: optional(fc.constantFrom("edge", "local")),
    protocol: optional(fc.constantFrom(...Object.keys(NAMING))),
    host: optional(pattern),
  });
  const host = fc.oneof(name, fc.constantFrom(undefined, "1.2.3.4", "2001:db8::1", "A.b.", "unix:/a"));
  const protocol = fc.constantFrom(...Object.keys(NAMING));
  const listener = fc.constantFrom("edge", "local", "other");
  fc.assert(
    fc.property(
      fc.array(route, { maxLength: 12 }),
      protocol,
      host,
      listener,
      (routes, protocol, host, listener) => {
        const snapshot = snapshotOf({ routes });
        const ask = seen(protocol, host, listener);
        equal(
          new Router(snapshot).match(ask),
          snapshot.routes.find((route) => routeMiss(route, ask) === undefined),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("what a route needs to match", () => {
  const table: [
    route: { listener?: string; protocol?: string; host?: string },
    yes: string[],
    no: string[],
  ][] = [
    [{}, ["tls a.b", "tls", "ssh"], ["socks a.b", "connect a.b", "http a.b", "socks 1.2.3.4"]],
    [{ host: "a.b" }, ["tls a.b", "tls A.B."], [
      "tls",
      "tls x.a.b",
      "http a.b",
      "socks a.b",
      "connect a.b",
      "ssh",
    ]],
    [{ host: "*.a.b" }, ["tls x.a.b", "tls x.y.a.b"], ["tls a.b", "tls xa.b", "tls"]],
    [{ host: "*" }, ["tls a.b", "tls", "tls 1.2.3.4"], ["ssh", "http a.b", "socks a.b"]],
    [{ protocol: "http" }, ["http a.b", "http", "http 1.2.3.4"], ["tls a.b", "socks a.b", "ssh"]],
    [{ protocol: "http", host: "*" }, ["http a.b", "http", "http [::1]"], ["tls a.b"]],
    [{ protocol: "http", host: "a.b" }, ["http a.b"], ["http", "tls a.b", "http c"]],
    [{ protocol: "socks" }, ["socks a.b", "socks 1.2.3.4", "socks unix:/a"], ["connect a.b", "tls a.b"]],
    [{ protocol: "socks", host: "*" }, ["socks a.b"], [
      "socks 1.2.3.4",
      "socks 0x7f.1",
      "socks ::1",
      "socks unix:/a",
    ]],
    [{ protocol: "socks", host: "*.b" }, ["socks a.b"], ["socks b"]],
    [{ protocol: "ssh" }, ["ssh"], ["tls", "socks a"]],
    [{ protocol: "ssh", host: "*" }, [], ["ssh"]],
    [{ listener: "local" }, [], ["tls a.b", "ssh"]],
    [{ listener: "edge", protocol: "tls" }, ["tls a.b", "tls", "tls ::1"], ["ssh"]],
  ];
  for (const [rule, yes, no] of table) {
    const router = new Router(snapshotOf({ routes: [rule] }));
    for (const text of [...yes, ...no]) {
      const [protocol, host] = text.split(" ");
      equal(
        router.match(seen(protocol, host)) !== undefined,
        yes.includes(text),
        `${JSON.stringify(rule)} ${text}`,
      );
    }
  }
});

Deno.test("a name that TLS decoded from its SNI is the one that routes are asked for", () => {
  const router = new Router(snapshotOf({ routes: [{ host: "svc.local" }] }));
  const target = { host: "svc.local", port: 9000 };
  ok(
    router.match(
      asking({ protocol: "tls", naming: "serverName", serverName: "outbound_.9000_._.svc.local", target }),
    ),
  );
});

Deno.test("sources of a route admit those in its networks and nobody without an address", () => {
  const snapshot = snapshotOf({ routes: [{ sources: ["10.0.0.0/8", "fd00::/8"] }, {}] });
  const router = new Router(snapshot);
  const [closed, open] = snapshot.routes;
  for (const source of ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"]) ok(router.admits(closed, source), source);
  for (const source of ["11.0.0.1", "::1", "nonsense", undefined]) ok(!router.admits(closed, source), source);
  ok(router.admits(open, undefined) && router.admits(open, "11.0.0.1"));
});

Deno.test("a thousand routes are not scanned", () => {
  const routes = Array.from(
    { length: 1000 },
    (_, i) => ({ host: i % 2 ? `h${i}.example` : `*.h${i}.example` }),
  );
  const snapshot = snapshotOf({ routes: [...routes, { protocol: "tls" }] });
  let reads = 0;
  const counted = new Proxy(snapshot.routes, {
    get: (
      of,
      key,
      self,
    ) => (typeof key === "string" && /^\d+$/.test(key) && reads++, Reflect.get(of, key, self)),
  });
  const router = new Router({ ...snapshot, routes: counted });
  reads = 0;
  equal(router.match(seen("tls", "x.y.h998.example"))?.place, "routes[998]");
  equal(router.match(seen("tls", "h999.example"))?.place, "routes[999]");
  equal(router.match(seen("tls", "h998.example"))?.place, "routes[1000]");
  equal(reads, 3);
});

Deno.test("a route with a network that is none is refused, and not ignored", () => {
  let message = "";
  try {
    new Router(snapshotOf({ routes: [{ sources: ["10/8"] }] }));
  } catch (thrown) {
    message = String(thrown);
  }
  ok(message.includes('Cannot read routes[0]: expected a CIDR, got "10/8"'), message);
});

Deno.test("of two routes for the same, the first one wins", () => {
  for (const host of ["a.b", "*.b", "*", undefined]) {
    const router = new Router(snapshotOf({ routes: [{ host }, { host }, { host, listener: "edge" }] }));
    equal(router.match(seen("tls", "a.b"))?.place, "routes[0]");
  }
});
