/** Which route TLS takes by its SNI where some handle requests: those end it, if there is a certificate of the name. */
import { asGateError } from "../../gate/errors.ts";
import type { RouteRule } from "../../gate/snapshot.ts";
import { equal, throws } from "../support/assert.ts";
import { asking, deciderOf } from "../support/rules.ts";

const listener = (name: string, ...protocols: string[]) => {
  return {
    name,
    number: 0,
    addresses: [":1"],
    protocols,
    sniffTimeout: 1,
    asksUser: false,
    proxyProtocol: [],
  };
};
const LISTENERS = { edge: listener("edge", "tls", "http"), bare: listener("bare", "tls") };
const certificate = (place: string, ...names: string[]) => {
  return { place, names, notAfter: 0, digest: place, chain: "", key: "" };
};
const CERTIFICATES = [certificate("first", "a.example", "*.in.example"), certificate("second", "b.example")];
const HTTP = { http: {} };

function decided(routes: Partial<RouteRule>[]) {
  const decider = deciderOf({ listeners: LISTENERS, certificates: CERTIFICATES, routes });
  return (serverName: string | undefined, on = "edge") => {
    const target = serverName === undefined ? undefined : { host: serverName, port: 443 };
    const asked = asking({ protocol: "tls", naming: "serverName", serverName, target, listener: on });
    const route = decider.router.match(asked);
    const plan = route && decider.plan(asked), ends = plan && decider.certificate(asked, plan);
    return [route?.place, ends?.place, decider.router.misses(asked).at(-1)?.miss];
  };
}

Deno.test("a route of requests takes TLS by its host, where there is a certificate of the name", () => {
  const by = decided([{ ...HTTP, host: "a.example" }, { ...HTTP, host: "*.example" }]);
  equal(by("a.example"), ["routes[0]", "first", undefined]);
  equal(by("A.Example."), ["routes[0]", "first", undefined]);
  equal(by("b.example"), ["routes[1]", "second", undefined]);
  equal(by("x.in.example"), ["routes[1]", "first", undefined]);
  equal(by("x.y.in.example"), [undefined, undefined, "certificate"]);
  equal(by("c.example"), [undefined, undefined, "certificate"]);
  equal(by("a.test"), [undefined, undefined, "host"]);
});

Deno.test("without a name the first certificate answers, for routes of any host alone", () => {
  equal(decided([{ ...HTTP, host: "a.example" }])(undefined), [undefined, undefined, "host"]);
  equal(decided([{ ...HTTP, host: "*" }])(undefined), ["routes[0]", "first", undefined]);
  equal(decided([HTTP])(undefined), ["routes[0]", "first", undefined]);
  equal(decided([HTTP])("192.0.2.1"), ["routes[0]", "first", undefined]); // no name either
});

Deno.test("of routes of all kinds the first of the file decides", () => {
  const passed = { to: [{ target: { host: "10.0.0.1", port: 443 }, weight: 1, health: 0 }] };
  const by = decided([
    { host: "a.example", ...passed },
    { ...HTTP, host: "*.example" },
    { host: "b.example", tls: "terminate", ...passed },
    { host: "*", ...passed },
  ]);
  equal(by("a.example"), ["routes[0]", undefined, undefined]);
  equal(by("b.example"), ["routes[1]", "second", undefined]);
  equal(by("c.example"), ["routes[3]", undefined, undefined]);
  equal(by("b.example", "bare"), ["routes[2]", "second", undefined]);
});

Deno.test("a route that names HTTP is for what is in clear; where none is understood inside, TLS does not end", () => {
  equal(decided([{ ...HTTP, protocol: "http" }])("a.example"), [undefined, undefined, "protocol"]);
  equal(decided([HTTP])("a.example", "bare"), [undefined, undefined, "protocol"]);
  equal(decided([{ ...HTTP, listener: "bare" }])("a.example"), [undefined, undefined, "listener"]);
});

Deno.test("the sources of such a route are judged request by request, policy's at once", () => {
  const asked = asking({ protocol: "tls", naming: "serverName", serverName: "a.example", listener: "edge" });
  const rules = {
    listeners: LISTENERS,
    certificates: CERTIFICATES,
    routes: [{ ...HTTP, sources: ["10.0.0.0/8"] }],
  };
  equal(deciderOf(rules).plan(asked).kind, "route");
  const barring = deciderOf({ ...rules, policy: [{ verdict: "deny", sources: ["203.0.113.0/24"] }] });
  throws(() => barring.plan(asked), /policy bars 203\.0\.113\.9/);
  const request = {
    ...asked,
    protocol: "http",
    naming: "host" as const,
    target: { host: "a.example", port: 80 },
  };
  throws(() => deciderOf(rules).plan(request), /not in the sources of routes\[0\]/);
});

Deno.test("it is known by which route TLS for the host of a request is passed on", () => {
  const to = [{ target: { host: "10.0.0.1", port: 443 }, weight: 1, health: 0 }];
  const decider = deciderOf({
    listeners: LISTENERS,
    certificates: CERTIFICATES,
    routes: [{ ...HTTP, host: "a.example" }, { host: "b.example", to }, {
      host: "x.in.example",
      tls: "terminate",
    }],
  });
  const by = (host: string) =>
    decider.misdirected(asking({ naming: "host", listener: "edge", target: { host, port: 80 } }), "tls")
      ?.message;
  equal(["a.example", "x.in.example", "c.example"].map(by), [undefined, undefined, undefined]);
  equal(
    by("b.example"),
    'Cannot route a request: its TLS ended here, and routes[1] passes TLS for "b.example" on',
  );
});

Deno.test("TLS for whose requests are handled here is dialed nowhere, also where this machine's is trusted", () => {
  const allow = [{ protocol: ["tls"] }];
  const planned = (route: Partial<RouteRule>, serverName: string, policy: typeof allow = [], on = "edge") => {
    const decider = deciderOf({ listeners: LISTENERS, certificates: CERTIFICATES, routes: [route], policy });
    const target = { host: serverName, port: 443 };
    const asked = asking({
      protocol: "tls",
      naming: "serverName",
      serverName,
      target,
      listener: on,
      trusted: true,
    });
    try {
      return decider.plan(asked).kind;
    } catch (thrown) {
      return asGateError(thrown).message.replace(/^.*: /, "");
    }
  };
  const refused = "routes[0] handles requests, and no certificate has this name";
  equal(planned({ ...HTTP, host: "c.example" }, "c.example"), refused);
  equal(planned({ ...HTTP, host: "c.example" }, "C.Example."), refused);
  equal(planned({ ...HTTP, host: "*.example" }, "c.example", allow), refused);
  equal(planned({ ...HTTP, host: "*" }, "c.example"), refused);
  equal(planned(HTTP, "c.example"), refused);
  equal(planned(HTTP, "c.example", allow), "asked"); // which no route names
  equal(planned({ ...HTTP, host: "c.example" }, "d.example"), "asked");
  equal(planned({ ...HTTP, host: "c.example", protocol: "http" }, "c.example"), "asked"); // for what is in clear
  equal(planned({ ...HTTP, host: "c.example" }, "c.example", [], "bare"), "asked"); // where nobody speaks HTTP
});
