/** `ugate explain` of a URL: which route its request takes, and what the others missed. */
import type { Protocols } from "../../gate/contracts.ts";
import { explainCommand, type Explained } from "../../gate/explain.ts";
import type { ExplainArgs } from "../../gate/explain_client.ts";
import { parseRequest } from "../../gate/explain_request.ts";
import type { ListenerRules, RouteRule } from "../../gate/snapshot.ts";
import { protocols as registry, proxyProtocol } from "../../protocols/mod.ts";
import { equal, ok } from "../support/assert.ts";
import { snapshotOf } from "../support/rules.ts";

const protocols: Protocols = registry;

const listener = (name: string, listed: string[], address = ":443"): ListenerRules => ({
  name,
  number: 0,
  addresses: [address],
  protocols: listed,
  sniffTimeout: 1,
  asksUser: false,
  proxyProtocol: [],
});
const LISTENERS = {
  edge: listener("edge", ["tls", "http"]),
  clear: listener("clear", ["http"], "127.0.0.1:80"),
  other: listener("other", ["ssh"]),
};
const to = (port: number) => [{ target: { host: "10.0.0.1", port }, weight: 1, health: 0 }];
const certificate = {
  ...{ place: "certificates[0]", names: ["a.example", "*.in.example"], notAfter: 2e12, digest: "x" },
  ...{ chain: "", key: "" },
};
const http = (port: number, route: Partial<RouteRule>) => ({ http: {}, to: to(port), ...route });

function run(
  args: ExplainArgs,
  routes: Partial<RouteRule>[],
  listeners: Readonly<Record<string, ListenerRules>> = LISTENERS,
): Promise<Explained> {
  return explainCommand(snapshotOf({ listeners, routes, certificates: [certificate] }), args, {
    protocols,
    preface: proxyProtocol,
    serverNameTarget: (host) => ({ host, port: 443 }),
    resolve: (target) =>
      Promise.resolve({
        ...{ target, source: "test", lifetime: 1 },
        endpoints: [{ address: target, layers: [] }],
      }),
    isOwnIp: () => false,
  });
}

async function says(args: ExplainArgs, routes: Partial<RouteRule>[], exit: number, ...lines: RegExp[]) {
  const explained = await run(args, routes);
  equal(explained.exit, exit, explained.text);
  for (const line of lines) ok(line.test(explained.text), `${line} in:\n${explained.text}`);
  JSON.stringify(explained.json);
}

Deno.test("explain http://... tells the route, and what each one before it missed, by name", async () => {
  const routes = [
    http(1, { listener: "edge" }),
    http(2, { host: "b.example" }),
    http(3, { path: { prefix: "/admin" } }),
    http(4, { method: ["DELETE"] }),
    http(5, { headers: [{ name: "x-canary", value: "secret" }] }),
    http(6, { query: [{ name: "beta", value: "1" }] }),
    { protocol: "ssh", to: to(22) },
    http(7, {}),
  ];
  const clear = { listener: "clear" };
  await says(
    { target: "http://a.example/x?q=1", ...clear },
    routes,
    0,
    /^listener clear, for this machine only, from 127\.0\.0\.1$/m,
    /^ {2}http GET a\.example\/x$/m,
    /route routes\[0\]: no, it is for another listener/,
    /route routes\[1\]: no, its host is another/,
    /route routes\[2\]: no, another path/,
    /route routes\[3\]: no, another method/,
    /route routes\[4\]: no, the request lacks its header x-canary, or has another value there/,
    /route routes\[5\]: no, the request lacks its query beta, or has another value there/,
    /route routes\[6\]: no, it does not name this protocol/,
    /route routes\[7\]: yes, it matches/,
    /goes to 10\.0\.0\.1:7/,
  );
  const { text } = await run({ target: "http://a.example/", ...clear }, routes);
  ok(!text.includes("secret"), text);
  const goes = async (args: ExplainArgs, port: number) =>
    await says({ ...clear, ...args }, routes, 0, new RegExp(`goes to 10\\.0\\.0\\.1:${port}$`, "m"));
  await goes({ target: "http://b.example/" }, 2);
  await goes({ target: "http://a.example:81/", header: ["Host: B.example"] }, 2);
  await goes({ target: "http://a.example//%61dmin/" }, 3);
  await goes({ target: "http://a.example", method: "DELETE" }, 4);
  await goes({ target: "http://a.example", header: ["A: b", "X-Canary:secret "] }, 5);
  await goes({ target: "http://a.example?beta=%31#x" }, 6);
});

Deno.test("a listener that cannot be asked this says so, and every one is asked", async () => {
  const routes = [http(1, {})];
  await says(
    { target: "http://a.example/" },
    routes,
    0,
    /^listener edge.*\n {2}http GET a\.example\/\n/m,
    /^listener clear/m,
    /^listener other.*\n {2}speaks no protocol that could ask for this/m,
  );
  await says({ target: "http://a.example/", listener: "other" }, routes, 1, /speaks no protocol/);
});

Deno.test("a path of several readings is refused with the routes it may be for", async () => {
  const routes = [http(1, { path: { prefix: "/admin" } }), http(2, {})];
  for (const path of ["/x/../admin", "/admin%2fx", "/admin;x", "/a%5cb"]) {
    await says(
      { target: `http://a.example${path}`, listener: "clear" },
      routes,
      1,
      /refused \(malformed\): .*can be read in several ways/,
    );
  }
});

Deno.test("sources decide as they do elsewhere", async () => {
  const routes = [http(1, { sources: ["192.0.2.0/24"] })];
  const at = { target: "http://a.example/", listener: "edge" };
  await says(at, routes, 1, /depends on the source: give --from/);
  await says({ ...at, from: "192.0.2.1" }, routes, 0, /goes to 10\.0\.0\.1:1/);
  await says({ ...at, from: "192.0.3.1" }, routes, 1, /refused \(denied\)/);
});

Deno.test("explain https://... tells with which certificate TLS ends, and the route inside", async () => {
  const routes = [{ host: "a.example", tls: "terminate" as const }, http(1, { path: { prefix: "/x" } })];
  await says(
    { target: "https://a.example/x", listener: "edge" },
    routes,
    0,
    /^ {2}tls a\.example:443$/m,
    /TLS ends here, with certificates\[0\] \(a\.example, \*\.in\.example; until 2033-05-18\)/,
    /comes in again/,
    /^ {2}http GET a\.example\/x$/m,
    /goes to 10\.0\.0\.1:1/,
  );
  await says({ target: "https://a.example/y", listener: "edge" }, routes, 1, /refused \(no-route\)/);
  await says({ target: "https://a.example/x", listener: "clear" }, routes, 1, /speaks no protocol/);
  const passed = [{ host: "p.example", to: to(9) }];
  const { text, exit } = await run({ target: "https://p.example/x", listener: "edge" }, passed);
  equal([exit, /goes to 10\.0\.0\.1:9/.test(text), text.includes("GET")], [0, true, false], text);
});

Deno.test("TLS ends for the hosts of routes that handle requests, and a Host of other TLS is misdirected", async () => {
  const routes = [{ host: "p.example", to: to(9) }, http(1, { host: "a.example" }), http(2, { host: "*" })];
  const edge = { listener: "edge" };
  await says(
    { target: "https://a.example/", ...edge },
    routes,
    0,
    /route routes\[1\]: yes, it matches\n {4}TLS ends here, with certificates\[0\]/,
    /http GET a\.example\/\n[^]*goes to 10\.0\.0\.1:1/,
  );
  await says(
    { target: "https://a.example/", header: ["Host: b.example"], ...edge },
    routes,
    0,
    /http GET b\.example\/\n[^]*goes to 10\.0\.0\.1:2/,
  );
  await says(
    { target: "https://a.example/", header: ["Host: p.example"], ...edge },
    routes,
    1,
    /refused \(no-route\): .*routes\[0\] passes TLS for "p\.example" on/,
  );
  await says({ target: "https://c.example/", ...edge }, routes, 1, /no certificate has this name/);
});

Deno.test("what the gate answers itself is served, and needs no target", async () => {
  const secure = [http(1, { tls: "terminate", host: "*", http: { secureOnly: true } })];
  await says(
    { target: "http://a.example/", listener: "clear" },
    secure,
    0,
    /answered by the gate itself: 308/,
  );
  const fixed = [http(1, { to: [], http: { respond: { status: 404, headers: {}, body: "" } } })];
  await says(
    { target: "http://a.example/", listener: "clear" },
    fixed,
    0,
    /answered by the gate itself: 404/,
  );
});

Deno.test("the bytes of a request are explained as the request", async () => {
  const routes = [
    http(1, { method: ["PUT"], headers: [{ name: "x-a", value: "1" }], query: [{ name: "q", value: "2" }] }),
    http(2, { path: { prefix: "/x" } }),
  ];
  const hexOf = (text: string) =>
    Array.from(text, (sign) => sign.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const asked = (line: string, fields = "") => ({
    hex: hexOf(`${line} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`),
    listener: "clear",
  });
  await says(
    asked("PUT /x?q=2", "X-A: 1\r\n"),
    routes,
    0,
    /http PUT a\.example\/x/,
    /goes to 10\.0\.0\.1:1/,
  );
  await says(asked("PUT /x?q=3", "X-A: 1\r\n"), routes, 0, /its query q/, /goes to 10\.0\.0\.1:2/);
  await says(asked("GET /y"), routes, 1, /another path/, /refused \(no-route\)/);
  await says(asked("GET /x/../y"), routes, 1, /refused \(malformed\)/);
  await says({ hex: hexOf("GET / HTTP/1.1\r\n\r\n"), listener: "clear" }, routes, 1, /http: .*no Host/);
});

Deno.test("a request is what a client sends: nothing resolved, what is foreign to it encoded", () => {
  const parsed = parseRequest("https://A.example:8443/a/../é b?c=ü#d", { header: ["X:  ü ", "x: y"] });
  ok(typeof parsed !== "string");
  equal(parsed.target, { host: "a.example", port: 8443 });
  equal(parsed.request.secure, true);
  equal(
    new TextDecoder().decode(parsed.request.bytes),
    "GET /a/../%C3%A9%20b?c=%C3%BC HTTP/1.1\r\nHost: A.example:8443\r\nX: ü\r\nx: y\r\n\r\n",
  );
  const other = parseRequest("http://[2001:db8::1]?q", { header: ["hoST: b"], method: "PUT" });
  ok(typeof other !== "string");
  equal(other.target, { host: "2001:db8::1", port: 80 });
  equal(new TextDecoder().decode(other.request.bytes), "PUT /?q HTTP/1.1\r\nhoST: b\r\n\r\n");
});

Deno.test("what would be no request is refused as on the wire", async () => {
  const edge = { listener: "clear" };
  const two = { target: "http://a.example/", header: ["Host: a", "Host: b"], ...edge };
  await says(two, [http(1, {})], 1, /http: Cannot read the request head: more than one Host/);
  const routes = [{ host: "a.example", tls: "terminate" as const }, http(1, {})];
  const secure = { ...two, target: "https://a.example/", listener: "edge" };
  await says(secure, routes, 1, /refused \(malformed\): Cannot read the request head: more than one Host/);
});

Deno.test("a trusted proxy is believed where requests come from, and nobody else", async () => {
  const given = { ...LISTENERS, edge: { ...LISTENERS.edge, trustedProxies: ["10.0.0.0/8"] } };
  const routes = [
    http(1, { sources: ["192.0.2.0/24"], headers: [{ name: "x-forwarded-proto", value: "https" }] }),
    http(2, {}),
  ];
  const asked = {
    ...{ target: "http://a.example/", listener: "edge" },
    header: ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"],
  };
  const told = async (from: string) => (await run({ ...asked, from }, routes, given)).text;
  ok(/goes to 10\.0\.0\.1:1$/m.test(await told("10.0.0.1")), await told("10.0.0.1"));
  ok(/lacks its header x-forwarded-proto/.test(await told("192.0.2.1")), await told("192.0.2.1"));
  const secure = [http(1, { tls: "terminate", host: "*", http: { secureOnly: true } })];
  const sent = async (from: string) =>
    /308 to https/.test((await run({ ...asked, from }, secure, given)).text);
  equal([await sent("10.0.0.1"), await sent("192.0.2.1")], [false, true]);
});

Deno.test("wrong words for a request are usage", async () => {
  const wrong: [args: ExplainArgs, text: RegExp][] = [
    [{ target: "http://" }, /expected a URL such as https:\/\/host\/path/],
    [{ target: "https://a b/" }, /expected a URL/],
    [{ target: "shop.test/x" }, /or for a request a URL such as https:\/\/shop\.test\/x, got "shop/],
    [{ target: "shop.test" }, /or for a request a URL such as https:\/\/shop\.test, got "shop/],
    [{ target: "ftp://shop.test/x" }, /expected host:port, got/],
    [{ target: "http://me@host/" }, /expected a URL/],
    [{ target: "http://a:99999/" }, /expected a URL/],
    [{ target: "http://a", method: "G T" }, /-X: expected a method/],
    [{ target: "http://a", method: "CONNECT" }, /-X: expected a method/],
    [{ target: "http://a", header: ["nothing"] }, /-H: expected "name: value"/],
    [{ target: "a:80", header: ["a: b"] }, /-H and -X are of a request/],
    [{ hex: "00", method: "GET" }, /-H and -X are of a request/],
  ];
  for (const [args, text] of wrong) await says(args, [http(1, {})], 2, text);
});

/** A proxy for a network, with routes of requests beside it. */
const PROXIES = {
  proxy: { ...listener("proxy", ["connect", "http"], ":3128"), asksUser: true },
  tunnel: listener("tunnel", ["connect"], "127.0.0.1:3129"),
  local: listener("local", ["connect", "http", "tls", "socks"], "127.0.0.1:15080"),
};

function asks(args: ExplainArgs, policy: Parameters<typeof snapshotOf>[0]["policy"] = []) {
  const routes = [http(1, { host: "a.example" })];
  return explainCommand(
    snapshotOf({ listeners: PROXIES, routes, certificates: [certificate], policy }),
    args,
    {
      protocols,
      preface: proxyProtocol,
      serverNameTarget: (host) => ({ host, port: 443 }),
      resolve: (target) =>
        Promise.resolve({
          ...{ target, source: "test", lifetime: 1 },
          endpoints: [{ address: { host: "198.51.100.7", port: target.port }, layers: [] }],
        }),
      isOwnIp: () => false,
    },
  );
}

Deno.test("where the listener is a proxy, what it makes of the same request as a proxy is told too", async () => {
  const policy = [{ by: "policy[0]", verdict: "allow" as const, user: ["alice"], hosts: ["b.example"] }];
  const at = { listener: "proxy", target: "http://b.example/x?q" };
  const alice = await asks({ ...at, user: "alice" }, policy);
  equal(alice.exit, 0, alice.text);
  const told = [
    /^ {2}http GET b\.example\/x\n {4}route routes\[0\]: no, its host is another\n {4}refused \(no-route\)/m,
    /^ {2}http GET http:\/\/b\.example\/x\?q, as to a proxy$/m,
    /route routes\[0\]: no, it is for requests that ask by Host, not for those of a proxy/,
    /policy policy\[0\]: yes, allow/,
    /goes to 198\.51\.100\.7:80$/m,
  ];
  for (const line of told) ok(line.test(alice.text), `${line} in:\n${alice.text}`);
  const bob = await asks({ ...at, user: "bob" }, policy);
  equal([bob.exit, /policy policy\[0\]: no, its user is another/.test(bob.text)], [1, true], bob.text);
  const nobody = await asks(at, policy);
  ok(/depends on the user: give --user/.test(nobody.text), nobody.text);
  ok(
    /as to a proxy\n {4}refused \(unauthenticated\): .*sent no Basic credentials/.test(nobody.text),
    nobody.text,
  );
  const post = await asks({ ...at, user: "alice", method: "POST", header: ["A: b"] }, policy);
  ok(/http POST http:\/\/b\.example\/x\?q, as to a proxy/.test(post.text), post.text);
});

Deno.test("an https:// URL goes through a proxy by CONNECT", async () => {
  const policy = [{
    by: "policy[0]",
    verdict: "allow" as const,
    protocol: ["connect"],
    ports: [[443, 443] as const],
  }];
  const { text, exit } = await asks(
    { listener: "proxy", target: "https://b.example/x", user: "alice" },
    policy,
  );
  ok(exit === 0 && /^ {2}connect CONNECT b\.example:443, as to a proxy$/m.test(text), text);
  ok(/policy policy\[0\]: yes, allow/.test(text) && /goes to 198\.51\.100\.7:443$/m.test(text), text);
  const other = await asks({ listener: "proxy", target: "https://b.example:8443/", user: "alice" }, policy);
  ok(other.exit === 1 && /CONNECT b\.example:8443, as to a proxy/.test(other.text), other.text);
  const local = await asks({ listener: "local", target: "https://a.example/" });
  ok(
    /TLS ends here[^]*http GET a\.example\/[^]*connect CONNECT a\.example:443, as to a proxy/.test(
      local.text,
    ),
  );
});

Deno.test("a proxy for CONNECT alone says what it lacks, and what is no proxy is not asked as one", async () => {
  const tunnel = await asks({ listener: "tunnel", target: "http://b.example/" });
  ok(
    /connect GET http:\/\/b\.example\/, as to a proxy\n {4}refused \(unsupported\): .*only CONNECT/.test(
      tunnel.text,
    ),
  );
  equal(tunnel.exit, 1);
  for (const target of ["http://a.example/", "https://a.example/"]) {
    const { text } = await run({ target }, [http(1, {})]);
    ok(!text.includes("proxy"), text);
  }
});

Deno.test("many routes that miss the same are one line, and as data each for itself", async () => {
  const routes = [
    ...Array.from({ length: 50 }, (_, i) => http(1, { path: { prefix: `/${i}` } })),
    http(2, {}),
  ];
  const { text, json } = await run({ target: "http://a.example/x", listener: "clear" }, routes);
  ok(
    /^ {4}route routes\[0\] to routes\[49\]: no, another path\n {4}route routes\[50\]: yes, it matches$/m
      .test(text),
    text,
  );
  const [{ explanations: [{ steps }] }] = json as { explanations: { steps: unknown[] }[] }[];
  equal(steps.length, 51);
  const few = await run({ target: "http://a.example/x", listener: "clear" }, routes.slice(48));
  ok(/routes\[0\]: no, another path\n {4}route routes\[1\]: no, another path\n/.test(few.text), few.text);
});

Deno.test("what a route asks of requests is no condition of the TLS around them", async () => {
  const auth = { http: { auth: { certificate: true as const } } };
  const { text } = await run({ target: "https://a.example/", listener: "edge" }, [
    http(1, { host: "a.example", path: { prefix: "/staff" }, ...auth }),
    http(2, { host: "a.example" }),
  ]);
  ok(!text.includes("on condition"), text);
  const staff = await run({ target: "https://a.example/staff", listener: "edge" }, [
    http(1, { host: "a.example", ...auth }),
  ]);
  equal(staff.text.match(/on condition of a client certificate/g)?.length, 1, staff.text);
});
