import { find, install, need } from "../../scripts/clients.ts";
import { countOf, testFiles } from "../../scripts/test.ts";
import { equal, ok, throws } from "../support/assert.ts";

Deno.test("the closing line of deno test is counted, with colors and without", () => {
  equal(countOf("a ... ok\n\nok | 3 passed | 0 failed | 1 ignored (17ms)\n"), {
    passed: 3,
    failed: 0,
    skipped: 1,
  });
  equal(countOf("\x1b[0m\x1b[31mFAILED\x1b[0m | 12 passed | 2 failed \x1b[0m(1s)\n\n"), {
    passed: 12,
    failed: 2,
    skipped: 0,
  });
  equal(countOf("ok | 7 passed (2 steps) | 0 failed (3m4s)\n"), { passed: 7, failed: 0, skipped: 0 });
});

Deno.test("a run that broke off has no count", () => {
  equal(countOf("running 3 tests\na ... ok (1ms)\n"), undefined);
});

Deno.test("every file of tests is found", () => {
  const files = testFiles("tests");
  ok(files.includes("tests/scripts/test_test.ts"));
  ok(files.every((file) => file.endsWith("_test.ts")));
});

Deno.test("a program is found by its path, servers too", () => {
  ok(find("sh")?.startsWith("/"));
  equal(find("no-such-program-here"), undefined);
});

Deno.test("a missing program skips a test, and fails it in CI", () => {
  const before = Deno.env.get("CI");
  try {
    Deno.env.delete("CI");
    equal(need("sh"), true);
    equal(need("sh", "no-such-program-here"), false);
    Deno.env.set("CI", "true");
    equal(need("sh"), true);
    throws(() => need("no-such-program-here"), /^Cannot test with no-such-program-here: not installed/);
  } finally {
    if (before === undefined) Deno.env.delete("CI");
    else Deno.env.set("CI", before);
  }
});

Deno.test("nothing is installed where everything is there", async () => {
  equal(await install(["sh"]), []);
});
