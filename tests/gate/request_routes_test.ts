import fc from "fast-check";
import { Decider } from "../../gate/decide.ts";
import type { Requested } from "../../gate/requests.ts";
import { routeMiss, Router } from "../../gate/match.ts";
import { pathMatches } from "../../gate/request_path.ts";
import type { RouteRule } from "../../gate/snapshot.ts";
import { equal, ok, throws } from "../support/assert.ts";
import { asking, requested, snapshotOf } from "../support/rules.ts";

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
const http = (host: string, request: string | Requested, listener = "web") =>
  asking({
    ...{ protocol: "http", naming: "host", listener, target: { host, port: 80 } },
    request: typeof request === "string" ? requested(request) : request,
  });
const placeOf = (host: string, path: string, listener?: string) =>
  decider.router.match(http(host, path, listener))?.place;

/** Where a request of `h` goes: the number of the route. */
function routing(routes: Partial<RouteRule>[]): (request: string | Requested) => number | undefined {
  const snapshot = snapshotOf({ routes: routes.map((route) => ({ ...HTTP, ...route })) });
  const router = new Router(snapshot);
  return (request) => {
    const found = router.match(http("h", request));
    return found && snapshot.routes.indexOf(found);
  };
}

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

Deno.test("method, headers and query have to be there with these very values", () => {
  const where = routing([
    { method: ["DELETE", "PUT"], path: { prefix: "/a" } },
    { headers: [{ name: "x-canary", value: "yes" }, { name: "x-two", value: "" }] },
    { query: [{ name: "beta", value: "1" }] },
    { path: { regex: "^/v[0-9]+/" } },
  ]);
  equal(where(requested("/a/b", { method: "PUT" })), 0);
  equal(where(requested("/a/b", { method: "put" })), undefined);
  equal(where(requested("/b", { method: "PUT" })), undefined);
  equal(where(requested("/", { headers: { "x-canary": "yes", "x-two": "" } })), 1);
  equal(where(requested("/", { headers: { "x-canary": "yes" } })), undefined);
  equal(where(requested("/", { headers: { "x-canary": "Yes", "x-two": "" } })), undefined);
  equal(where("/?beta=1"), 2);
  equal(where("/?x&b%65ta=%31&beta=2"), 2);
  equal(where("/?beta=2&beta=1"), undefined);
  equal(where("/v12/x"), 3);
  equal(where("//%7612/x"), 3);
  equal(where("/v12"), undefined);
});

Deno.test("what routes do not ask for is not looked at", () => {
  const fail = () => {
    throw new Error("nobody asked");
  };
  const where = routing([
    { path: { prefix: "/a" } },
    { method: ["GET"], headers: [{ name: "x", value: "" }] },
    {},
  ]);
  equal(where({ path: "/a", method: "GET", header: fail, query: fail }), 0);
  equal(where({ path: "/b", method: "POST", header: fail, query: fail }), 2);
});

Deno.test("a route of requests is nothing to TLS, and one that passes bytes on is nothing to requests", () => {
  const tls = asking({ protocol: "tls", naming: "serverName", serverName: "a.example", listener: "web" });
  equal(decider.router.match({ ...tls, target: { host: "a.example", port: 443 } })?.place, "routes[5]");
});

Deno.test("a path with several readings is refused where routes of its host go by path, and only there", () => {
  for (const path of ["/api/../x", "/x/%2e%2e/api", "/a\\b", "/a%00", "/a%c0%af", "/a%2fb", "/api%2fx"]) {
    throws(() => placeOf("a.example", path), /can be read in several ways/);
    equal(placeOf("b.test", path, "other"), "routes[3]");
  }
});

Deno.test("parameters in a path change its route nowhere, or it is refused", () => {
  const where = routing([{ path: { prefix: "/admin" } }, { path: { prefix: "/" } }]);
  equal(where("/admin/x;y=1"), 0);
  equal(where("/a;b/admin"), 1);
  for (const path of ["/admin;x", "/admin;x/secret", "/;a/admin", "/admin%3bx/y", "/%61dmin;/"]) {
    throws(() => where(path), /leads to routes\[1\] or to routes\[0\]/);
  }
  const sessions = routing([{ path: { regex: "^/login(;|$)" } }, {}]);
  equal(sessions("/login;jsessionid=1"), 0);
});

Deno.test("encodedSlash: keep is a route to which an encoded slash is a character", () => {
  const keep = { encodedSlash: "keep" } as const;
  const where = routing([
    { path: { prefix: "/admin" } },
    { path: { exact: "/pkg/@a%2Fb" }, ...keep },
    { path: { prefix: "/pkg" }, ...keep },
    { path: { prefix: "/own" } },
    { ...keep },
  ]);
  equal(where("/pkg/@a%2fb"), 1);
  equal(where("/pkg/@c%2Fb"), 2);
  equal(where("/pkg%2Fc"), 4); // one segment, as that route has it
  equal(where("/other%2Fpath"), 4);
  throws(() => where("/admin%2fx"), /leads to routes\[4\] or to routes\[0\]/);
  throws(() => where("/own/a%2Fb"), /encoded slash, and .*routes\[3\] keeps none/);
  for (const path of ["/pkg/..%2fadmin", "/pkg/%2e%2e%2fadmin", "/pkg/a%2f..%2f..%2fadmin", "/pkg%5cx"]) {
    throws(() => where(path), /can be read in several ways/);
  }
});

Deno.test("a request for the whole server takes no route by path", () => {
  equal(routing([{ path: { prefix: "/" } }, { path: { regex: "." } }])("*"), undefined);
  equal(
    routing([{ path: { prefix: "/" } }, { method: ["OPTIONS"] }])(requested("*", { method: "OPTIONS" })),
    1,
  );
});

Deno.test("who asks why hears what each route missed", () => {
  equal(decider.router.misses(http("b.test", "/all")).map(({ miss }) => miss), [
    ...["host", "host", "host", "listener", undefined],
  ]);
  equal(decider.router.misses(http("a.example", "/x", "else"))[0].miss, "path");
  const { router } = new Decider(
    snapshotOf({
      routes: [
        { ...HTTP, method: ["PUT"] },
        { ...HTTP, headers: [{ name: "x-a", value: "1" }, { name: "x-b", value: "2" }] },
        { ...HTTP, query: [{ name: "q", value: "1" }] },
      ],
    }),
    () => false,
  );
  const request = requested("/?q=2", { headers: { "x-a": "1", "x-b": "3" } });
  equal(router.misses(http("h", request)).map(({ miss }) => miss), ["method", "header x-b", "query q"]);
});

Deno.test("hosts that are guessed are not remembered for ever, and find nothing else", () => {
  for (let i = 0; i < 5000; i++) equal(placeOf(`h${i}.example`, "/"), "routes[2]");
  ok(placeOf("a.example", "/api") === "routes[0]");
});

const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const segment = fc.constantFrom("a", "b", "admin");
const plainPath = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join("/")}`);
const value = fc.constantFrom("1", "2");
const oneNamed = fc.tuple(fc.constantFrom("x", "y"), value).map(([name, value]) => [{ name, value }]);
const route = fc.record({
  listener: optional(fc.constantFrom("web", "local")),
  host: optional(fc.constantFrom("h", "*.h", "x.h", "*")),
  path: optional(fc.oneof(
    plainPath.map((prefix) => ({ prefix })),
    plainPath.map((exact) => ({ exact })),
    fc.constantFrom({ regex: "a$" }, { regex: "^/b" }, { regex: "^/a(/|$)" }),
  )),
  encodedSlash: optional(fc.constantFrom("refuse" as const, "keep" as const)),
  method: optional(fc.subarray(["GET", "PUT"], { minLength: 1 })),
  headers: optional(oneNamed),
  query: optional(oneNamed),
}).map((given) => ({ ...HTTP, ...given }));
const aRequest = (path: fc.Arbitrary<string>) =>
  fc.record({
    path,
    method: fc.constantFrom("GET", "PUT", "POST"),
    query: fc.constantFrom("", "x=1", "y=1&x=2", "x=2&x=1"),
    headers: fc.constantFrom<Record<string, string>>({}, { x: "1" }, { x: "2", y: "1" }),
  }).map(({ path, query, ...rest }) => requested(`${path}?${query}`, rest));

Deno.test("the route that is found is the first of the file that nothing keeps from matching", () => {
  const world = [
    fc.array(route, { maxLength: 10 }),
    aRequest(plainPath),
    fc.constantFrom("h", "x.h", "y.x.h", "z", "192.0.2.1"),
    fc.constantFrom("web", "local"),
  ] as const;
  fc.assert(
    fc.property(...world, (routes, request, host, listener) => {
      const snapshot = snapshotOf({ routes }), ask = http(host, request, listener);
      equal(
        new Router(snapshot).match(ask),
        snapshot.routes.find((each) => routeMiss(each, ask) === undefined),
      );
    }),
    { numRuns: 3000 },
  );
});

/** The same path, spelled by chance. */
const spelled = (path: string) =>
  fc.array(fc.constantFrom("as it is", "escaped", "ESCAPED"), {
    minLength: path.length,
    maxLength: path.length,
  })
    .map((ways) =>
      Array.from(path, (sign, i) => {
        if (sign === "/") return ways[i] === "as it is" ? "/" : "//";
        const escape = `%${sign.charCodeAt(0).toString(16)}`;
        return ways[i] === "as it is" ? sign : ways[i] === "escaped" ? escape : escape.toUpperCase();
      }).join("")
    );

Deno.test("every spelling of a path finds the same route", () => {
  fc.assert(
    fc.property(
      fc.array(route, { maxLength: 8 }),
      plainPath.chain((path) => fc.tuple(fc.constant(path), spelled(path))),
      (routes, [path, spelling]) => {
        const where = routing(routes.map((one) => ({ ...one, listener: undefined, host: undefined })));
        equal(where(spelling), where(path), spelling);
      },
    ),
    { numRuns: 2000 },
  );
});

/** What servers make of a path before they look at it: whether they take parameters off, and when they decode. */
const SERVERS: readonly ((path: string) => string)[] = [
  (path) => withoutDots(decoded(path)),
  (path) => withoutDots(decoded(path.replace(/;[^/]*/g, ""))),
  (path) => withoutDots(decoded(path).replace(/;[^/]*/g, "")),
];

function decoded(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)))
    .replace(/\xc0\xaf/g, "/").replaceAll("\\", "/");
}

function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

Deno.test("however a server reads a path, its route is the one that was meant for what is read, or nobody serves it", () => {
  const piece = fc.constantFrom(
    ...["/", "/", "/", "a", "admin", "admin", "%61", ".", "..", "%2e", "%2E%2e", ";", "%3b", "x"],
    ...["%2f", "%2F", "\\", "%5c", "%00", "%c0%af", "dmin"],
  );
  const path = fc.array(piece, { minLength: 1, maxLength: 7 }).map((pieces) => `/${pieces.join("")}`);
  const paths = fc.uniqueArray(fc.constantFrom("/admin", "/a", "/admin/a", "/"), { minLength: 1 });
  fc.assert(
    fc.property(paths, path, (prefixes, path) => {
      const where = routing(prefixes.map((prefix) => ({ path: { prefix } })));
      let found: number | undefined;
      try {
        found = where(path);
      } catch {
        return;
      }
      for (const read of SERVERS) {
        const meant = prefixes.findIndex((prefix) => pathMatches({ prefix }, read(path)));
        equal(found ?? -1, meant, `${path} is ${read(path)}`);
      }
    }),
    { numRuns: 10_000 },
  );
});

Deno.test("no escape of a plain character leads past the route that is meant for it", () => {
  const where = routing([{ path: { prefix: "/@admin" } }, { path: { exact: "/a:b" } }, {}]);
  equal(where("/@admin/x"), 0);
  equal(where("/other%40"), 2);
  for (const path of ["/%40admin/x", "//%40%61dmin", "/a%3Ab", "/a%3ab"]) {
    throws(() => where(path), /can be read in several ways.*routes\[2\] or to routes/);
  }
});
