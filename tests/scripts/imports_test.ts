import plugin, { importFault } from "../../scripts/lint/imports.ts";
import { equal, ok } from "../support/assert.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What the plugin says about a file of this text at this place. */
function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, ROOT + path, source).map((found) => `${found.id} ${found.message}`);
}

Deno.test("gate/ may import gate/ and nothing else of the repository", () => {
  equal(importFault("gate/gate.ts", "gate/policy.ts"), undefined);
  ok(importFault("gate/gate.ts", "protocols/socks.ts"));
  ok(importFault("gate/config/read.ts", "routes/dns.ts"));
  ok(importFault("gate/gate.ts", "scripts/check.ts"));
});

Deno.test("the parts are joined in main.ts, gate/commands/ and gate/threads/ alone", () => {
  for (const from of ["main.ts", "gate/commands/run.ts", "gate/threads/engine.ts"]) {
    equal(importFault(from, "protocols/mod.ts"), undefined);
    equal(importFault(from, "routes/mod.ts"), undefined);
    ok(importFault(from, "tests/support/assert.ts"));
  }
  ok(importFault("gate/gate.ts", "gate/threads/engine.ts"));
  equal(importFault("gate/gate.ts", "gate/threads/engine.ts", [], true), undefined, "a type joins nothing");
  ok(importFault("protocols/socks.ts", "protocols/mod.ts"));
});

Deno.test("protocols/ and routes/ never import each other", () => {
  ok(importFault("protocols/socks.ts", "routes/dns.ts"));
  ok(importFault("routes/dns.ts", "protocols/tls/hello.ts"));
  equal(importFault("routes/dns.ts", "routes/hosts.ts"), undefined);
  equal(importFault("protocols/socks.ts", "gate/contracts.ts"), undefined);
});

Deno.test("a protocol imports the codec of another, never what serves or wraps it", () => {
  equal(importFault("protocols/connect.ts", "protocols/http/parse_head.ts", ["parseRequest"]), undefined);
  equal(importFault("protocols/tls/tls.ts", "protocols/tls/serve.ts"), undefined);
  equal(importFault("protocols/mod.ts", "protocols/tls/tls.ts", ["tls"]), undefined);
  ok(importFault("protocols/connect.ts", "protocols/socks.ts"));
  ok(importFault("protocols/connect.ts", "protocols/http/http.ts"));
  ok(importFault("protocols/connect.ts", "protocols/http/server.ts", ["serve"]));
  ok(importFault("protocols/connect.ts", "protocols/http/passed.ts", ["http"]));
});

Deno.test("tests may import everything, scripts everything but tests", () => {
  equal(importFault("tests/scripts/imports_test.ts", "scripts/lint/imports.ts"), undefined);
  equal(importFault("scripts/bench.ts", "gate/engine/sys.ts"), undefined);
  ok(importFault("scripts/bench.ts", "tests/support/assert.ts"));
});

Deno.test("every way to import is seen, packages are not judged", () => {
  const ways = [
    `import { socks } from "../protocols/socks.ts";`,
    `export { socks } from "../protocols/socks.ts";`,
    `export * from "../protocols/socks.ts";`,
    `const m = await import("../protocols/socks.ts");`,
  ];
  for (const way of ways) {
    equal(lint("gate/a.ts", way), [
      "ugate/import-direction Cannot import ../protocols/socks.ts: gate/ imports only gate/",
    ]);
  }
  equal(
    lint("gate/a.ts", `import { z } from "zod"; import { b } from "./b.ts"; export const c = z ?? b;`),
    [],
  );
});

Deno.test("the message of a GateError reads `Cannot <act>: <state>`", () => {
  const says = (message: string) =>
    lint("gate/a.ts", `throw new GateError("denied", "gate", ${message});`).length === 0;
  ok(says(`"Cannot read the head: it is longer than 64 KiB"`));
  ok(says("`Cannot dial ${target}: ${state}`"));
  ok(says("`${act}: the upstream is silent`"));
  ok(!says("`${act} the upstream is silent`"));
  ok(says("sentence"), "what is not written in place is not judged");
  ok(!says(`"bad head"`));
  ok(!says(`"Cannot read the head"`));
  ok(!says("`Cannot dial ${target}: refused.`"));
});

Deno.test("a default export is found", () => {
  equal(lint("gate/a.ts", "export default 1;").length, 1);
  equal(lint("scripts/lint/a.ts", "export default 1;"), []);
});
