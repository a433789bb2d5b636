import { Decider } from "../../gate/decide.ts";
import { equal, ok, throws } from "../support/assert.ts";
import { asking, snapshotOf } from "../support/rules.ts";

const HTTP = { http: {} };
const decider = new Decider(
  snapshotOf({
    routes: [
      { ...HTTP, host: "a.example", path: { prefix: "/api" } },
      { ...HTTP, host: "a.example", path: { exact: "/api/v1" } },
      { ...HTTP, host: "*.example", listener: "web" },
      { ...HTTP, host: "b.test", listener: "other" },
      { ...HTTP, host: "*", path: { prefix: "/all" }, listener: "web" },
      { host: "a.example" },
    ],
  }),
  () => false,
);
const http = (host: string, path: string, listener = "web") =>
  asking({ protocol: "http", naming: "host", listener, target: { host, port: 80 }, path });
const placeOf = (host: string, path: string, listener?: string) =>
  decider.router.match(http(host, path, listener))?.place;

Deno.test("a request takes the first route of the file whose listener, host and path it has", () => {
  equal(placeOf("a.example", "/api"), "routes[0]");
  equal(placeOf("A.example", "//%61pi/x"), "routes[0]");
  equal(placeOf("a.example", "/apis"), "routes[2]");
  equal(placeOf("a.example", "/apis", "else"), undefined);
  equal(placeOf("x.y.example", "/"), "routes[2]");
  equal(placeOf("b.test", "/", "other"), "routes[3]");
  equal(placeOf("b.test", "/"), undefined);
  equal(placeOf("b.test", "/all/x"), "routes[4]");
  equal(placeOf("192.0.2.1", "/all"), "routes[4]");
});

Deno.test("a route of requests is nothing to TLS, and one that passes bytes on is nothing to requests", () => {
  const tls = asking({ protocol: "tls", naming: "serverName", serverName: "a.example", listener: "web" });
  equal(decider.router.match({ ...tls, target: { host: "a.example", port: 443 } })?.place, "routes[5]");
});

Deno.test("a path with several readings is refused where routes of its host go by path, and only there", () => {
  throws(() => placeOf("a.example", "/api/../x"), /can be read in several ways/);
  equal(placeOf("b.test", "/a/../x", "other"), "routes[3]");
});

Deno.test("who asks why hears what each route missed", () => {
  equal(decider.router.misses(http("b.test", "/all")).map(({ miss }) => miss), [
    ...["host", "host", "host", "listener", undefined],
  ]);
  equal(decider.router.misses(http("a.example", "/x", "else"))[0].miss, "path");
});

Deno.test("hosts that are guessed are not remembered for ever, and find nothing else", () => {
  for (let i = 0; i < 5000; i++) equal(placeOf(`h${i}.example`, "/"), "routes[2]");
  ok(placeOf("a.example", "/api") === "routes[0]");
});
