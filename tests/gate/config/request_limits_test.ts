/** rateLimit, retries, mirror and check.path: what they mean as configuration. */
import { compileSnapshot } from "../../../gate/config/compile.ts";
import { differences } from "../../../gate/config/differences.ts";
import { parseConfiguration } from "../../../gate/config/load.ts";
import { ConfigurationError } from "../../../gate/config/problems.ts";
import { equal, ok } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const WEB = `listeners: { web: { address: "127.0.0.1:8080", protocols: [http] } }\n`;
const routed = (keys: string, to = "http://10.0.0.1:80") =>
  `${WEB}routes: [{ host: a.example, to: "${to}", ${keys} }]`;

const parsed = (text: string) =>
  parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, { get: () => undefined });

async function problems(text: string): Promise<string> {
  try {
    await parsed(text);
    return "";
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message;
  }
}

const ALL =
  "rateLimit: { requests: 5, per: 10s }, retries: { attempts: 3, on: [connect, 504] }, mirror: 'http://[::1]:9000'," +
  " check: { path: '/healthz?full=1' }";

Deno.test("what is written is what the engines get, and what /config shows", async () => {
  const { config, shown } = await parsed(routed(ALL));
  const [{ http, check }] = compileSnapshot(config).routes;
  equal([http!.rateLimit, http!.retries, http!.mirror, check], [
    { requests: 5, per: 10_000 },
    { attempts: 3, on: ["connect", 504] },
    { host: "::1", port: 9000 },
    { interval: 5000, timeout: 2000, path: "/healthz?full=1" },
  ]);
  const [route] = (shown as { routes: Record<string, unknown>[] }).routes;
  equal([route.rateLimit, route.retries, route.mirror, route.check], [
    { requests: 5, per: "10s" },
    { attempts: 3, on: ["connect", 504] },
    "http://[::1]:9000",
    { interval: "5s", timeout: "2s", path: "/healthz?full=1" },
  ]);
  equal((await parsed(JSON.stringify(shown))).config.routes[0].http, config.routes[0].http);
});

Deno.test("retries have defaults, and handle the route as HTTP as every key of requests does", async () => {
  const { config } = await parsed(routed("retries: {}"));
  equal(config.routes[0].http!.retries, { attempts: 2, on: ["connect", 502, 503] });
});

Deno.test("every mistake is told where it stands", async () => {
  const cases: [text: string, place: string, said: string][] = [
    [routed("rateLimit: { requests: 5 }"), "rateLimit.per", "expected a duration"],
    [routed("rateLimit: { requests: 0, per: 1s }"), "rateLimit.requests", "expected a whole number from 1"],
    [
      routed("rateLimit: { requests: 5, per: 10 }"),
      "rateLimit.per",
      "expected a duration with its unit, such as 10s",
    ],
    [routed("retries: { on: [500] }"), "retries.on[0]", "expected one of connect, 502, 503, 504"],
    [routed("retries: { on: [] }"), "retries.on", "expected at least one"],
    [routed("retries: { attempts: 11 }"), "retries.attempts", "expected a whole number from 1 to 10"],
    [routed("retries: { tries: 1 }"), "retries.tries", "unknown key"],
    [routed("mirror: '10.0.0.2:80'"), "mirror", "expected http:// and a target"],
    [routed("mirror: 'https://10.0.0.2:80'"), "mirror", "expected http:// and a target"],
    [routed("mirror: 'http://10.0.0.2:99999'"), "mirror", "expected a port"],
    [
      routed("mirror: 'http://127.0.0.1:8080'"),
      "mirror",
      "expected a target that is not listener web itself",
    ],
    [routed("check: { path: healthz }"), "check.path", "expected a path such as /healthz"],
    [routed("check: { path: '/a b' }"), "check.path", "expected a path such as /healthz"],
    ...["rateLimit: { requests: 5, per: 1s }", "retries: {}", "mirror: 'http://a:80'"].map(
      (keys): [string, string, string] => [
        routed(`protocol: http, ${keys}`, "10.0.0.1:80"),
        keys.split(":")[0],
        "needs a to of http://",
      ],
    ),
    [
      routed("protocol: http, check: { path: /healthz }", "10.0.0.1:80"),
      "check.path",
      "needs a to of http://",
    ],
  ];
  for (const [text, place, said] of cases) {
    const told = await problems(text);
    equal(told.split("\n").length, 1, told);
    ok(told.startsWith("ugate.yaml:2:") && told.includes(` routes[0].${place}: ${said}`), told);
  }
});

Deno.test("a change of them is a change of routes", async () => {
  const { config: before } = await parsed(routed(ALL));
  for (
    const [from, to] of [["requests: 5", "requests: 6"], ["504", "503"], ["9000", "9001"], ["full=1", ""]]
  ) {
    const { config: after } = await parsed(routed(ALL.replace(from, to)));
    equal(differences(before, after).changes, ["routes: 1 new, 1 gone"]);
  }
});

Deno.test("a target has one row of health for each thing that is asked of it", async () => {
  const checks = ["{}", "{ path: /a }", "{ path: /b }", "{ path: /a, interval: 1s }"];
  const routes = checks.map((check, i) => `{ path: /${i}, to: "http://10.0.0.1:80", check: ${check} }`);
  const { config } = await parsed(`${WEB}routes: [${routes.join(", ")}]`);
  const rows = compileSnapshot(config).routes.map(({ to }) => to[0].health);
  equal([new Set(rows).size, rows[1]], [3, rows[3]]);
});
