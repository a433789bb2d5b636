import { Scope } from "../../gate/scope.ts";
import { equal, ok } from "../support/assert.ts";

/** A scope that keeps what was reported. */
function listening(): { scope: Scope; reports: [string, unknown][] } {
  const reports: [string, unknown][] = [];
  return { scope: new Scope((name, thrown) => reports.push([name, thrown])), reports };
}

Deno.test("close() waits for a task that needs its time, and names none", async () => {
  const { scope, reports } = listening();
  const { promise, resolve } = Promise.withResolvers<void>();
  let ended = false;
  scope.spawn("lookup", promise.then(() => ended = true));
  const closed = scope.close(10_000);
  resolve();
  equal(await closed, []);
  ok(ended);
  equal(reports, []);
});

Deno.test("close() names the tasks that outlive its grace", async () => {
  const { scope } = listening();
  const { promise, resolve } = Promise.withResolvers<void>();
  scope.spawn("stubborn", promise);
  scope.spawn("quick", Promise.resolve());
  equal(await scope.close(5), ["stubborn"]);
  resolve();
});

Deno.test("what a task throws is reported under its name", async () => {
  const { scope, reports } = listening();
  const late = new Error("late");
  scope.spawn("a", Promise.reject(late));
  await scope.close(1000);
  equal(reports, [["a", late]]);
});

Deno.test("a task hears of the stopping, and ending by it is no failure", async () => {
  const { scope, reports } = listening();
  const { stopping } = scope;
  scope.spawn(
    "watch",
    new Promise((_, reject) => stopping.addEventListener("abort", () => reject(stopping.reason))),
  );
  ok(!scope.stopping.aborted);
  equal(await scope.close(1000), []);
  ok(scope.stopping.aborted);
  equal(reports, []);
});

Deno.test("a task is owned also once close() began", async () => {
  const { scope, reports } = listening();
  await scope.close(1000);
  scope.spawn("old", Promise.reject(new Error("still caught")));
  equal(await scope.close(1000), []);
  equal(reports.map(([name]) => name), ["old"]);
});

Deno.test("a task that a task spawned while closing is waited for", async () => {
  const { scope } = listening();
  const inner = Promise.withResolvers<void>();
  let ended = false;
  scope.spawn(
    "outer",
    Promise.resolve().then(() => scope.spawn("inner", inner.promise.then(() => ended = true))),
  );
  const closed = scope.close(10_000);
  setTimeout(inner.resolve, 1);
  equal(await closed, []);
  ok(ended);
});
