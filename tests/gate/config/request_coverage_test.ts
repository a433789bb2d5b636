/** Routes of requests that can never match, since earlier ones take all of theirs. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { hasPaths } from "../../../gate/config/path_coverage.ts";
import type { PathMatch } from "../../../gate/snapshot.ts";
import { equal, ok } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const LISTENERS = `listeners:
  web: { address: ":80", protocols: [http] }
  local: { address: "127.0.0.1:81", protocols: [http] }
`;

/** Which of the routes can never match, by their numbers. */
async function never(...routes: string[]): Promise<number[]> {
  const text = `${LISTENERS}routes:\n` +
    routes.map((keys) => `  - { ${keys}, to: "http://h:80" }\n`).join("");
  try {
    await parseConfiguration([{ file: "u", text }], toyProtocols);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    return thrown.problems.map(({ path, message }) => {
      ok(/can never match: .* takes all of it before/.test(message), message);
      return Number(/^routes\[([0-9]+)\]$/.exec(path)?.[1]);
    });
  }
}

Deno.test("a route is of no use behind one that takes all its requests", async () => {
  const pairs: [earlier: string, later: string][] = [
    ["host: a.x", "host: a.x, method: GET"],
    ["host: '*.x'", "host: a.x, path: /a, headers: { x-a: y }"],
    ["path: /a", "path: /a/b"],
    ["path: /a", "path: /a, method: GET"],
    ["path: /a", "path: { exact: /a/b }, query: { q: 1 }"],
    ["path: /a", "path: { regex: '^/a/v[0-9]+/' }"],
    ["path: /", "path: { regex: x }"],
    ["path: { regex: '^/a' }", "path: /a/b"],
    ["path: { regex: '^/a(/|$)' }", "path: /a"],
    ["path: { regex: '^/a' }", "path: { exact: /abc }"],
    ["path: { regex: '^/a' }", "path: { regex: '^/a' }, method: GET"],
    ["method: [GET, PUT]", "method: GET"],
    ["headers: { X-A: y }", "headers: { x-a: y, x-b: z }, path: /a"],
    ["query: { q: 1 }", "query: { q: 1 }, method: GET"],
    ["host: '*.x', method: GET", "host: a.x, method: GET"],
    ["host: '*', path: /a", "host: a.x, path: /a"],
    ["path: /a", "listener: web, path: /a, host: b.x"],
    ["path: /a", "path: /a, encodedSlash: keep"],
  ];
  for (const [earlier, later] of pairs) equal(await never(earlier, later), [1], `${earlier} | ${later}`);
});

Deno.test("a route stands behind one that leaves it something", async () => {
  const pairs: [earlier: string, later: string][] = [
    ["path: /a", "path: /ab"],
    ["path: /a/b", "path: /a"],
    ["path: { exact: /a }", "path: /a"],
    ["path: /a", "host: a.x"],
    ["path: /a", "path: { regex: '^/a' }"],
    ["path: { regex: '^/a/' }", "path: /a"],
    ["path: { regex: '^/a$' }", "path: /a"],
    ["path: { regex: a }", "path: { regex: aa }"],
    ["method: GET", "path: /a"],
    ["method: GET", "method: [GET, PUT]"],
    ["method: GET, path: /a", "method: GET"],
    ["headers: { x-a: y }", "headers: { x-a: z }"],
    ["headers: { x-a: y, x-b: z }", "headers: { x-a: y }"],
    ["query: { q: 1 }", "headers: { q: 1 }"],
    ["host: a.x, path: /a", "host: '*.x', path: /a"],
    ["listener: web, path: /a", "path: /a"],
    ["listener: web, path: /a", "listener: local, path: /a"],
    ["path: /pkg", "path: { exact: /pkg%2Fx }, encodedSlash: keep"],
  ];
  for (const [earlier, later] of pairs) equal(await never(earlier, later), [], `${earlier} | ${later}`);
});

Deno.test("what expressions take is told for certain only", () => {
  const table: [all: PathMatch, some: PathMatch, has: boolean][] = [
    [{ prefix: "/api" }, { regex: "^/api(/|$)" }, true],
    [{ prefix: "/api" }, { regex: "^/(api|api/x)$" }, true],
    [{ prefix: "/api" }, { regex: "^/api.?$" }, false],
    [{ prefix: "/api" }, { regex: "/api/" }, false],
    [{ prefix: "/api" }, { regex: "^/ap" }, false],
    [{ regex: "." }, { prefix: "/" }, true],
    [{ regex: "^/api.*" }, { prefix: "/api" }, true],
    [{ regex: "^/api/?" }, { prefix: "/api/x" }, true],
    [{ regex: "x$" }, { prefix: "/x" }, false],
    [{ exact: "/a" }, { regex: "^/a$" }, false],
  ];
  for (const [all, some, has] of table) {
    equal(hasPaths(all, some), has, `${JSON.stringify(all)} ${JSON.stringify(some)}`);
  }
});
