import fc from "fast-check";
import { Timers } from "../../../gate/engine/timers.ts";
import { equal, ok } from "../../support/assert.ts";

Deno.test("timers fire in the order of their times, each once, and cancelled ones never", () => {
  const plan = fc.array(fc.record({ at: fc.integer({ min: 0, max: 50 }), cancelled: fc.boolean() }), {
    maxLength: 200,
  });
  fc.assert(fc.property(plan, fc.array(fc.integer({ min: 0, max: 60 })), (planned, times) => {
    const timers = new Timers(), fired: number[] = [];
    const cancels = planned.map(({ at }, i) => timers.add(at, () => fired.push(i)));
    planned.forEach(({ cancelled }, i) => cancelled && cancels[i]());
    const live = planned.flatMap(({ cancelled }, i) => cancelled ? [] : [i]);
    for (const now of times.sort((a, b) => a - b)) {
      timers.fire(now, (act) => act());
      equal(fired.length, live.filter((i) => planned[i].at <= now).length);
      ok(timers.next() > now);
    }
    timers.fire(Infinity, (act) => act());
    equal([...fired].sort((a, b) => a - b), live);
    const at = fired.map((i) => planned[i].at);
    equal(at, [...at].sort((a, b) => a - b));
    equal(timers.next(), Infinity);
  }));
});

Deno.test("what fires may add and cancel", () => {
  const timers = new Timers(), fired: string[] = [];
  const cancel = timers.add(2, () => fired.push("cancelled"));
  timers.add(1, () => {
    cancel();
    timers.add(1, () => fired.push("added"));
  });
  timers.fire(2, (act) => act());
  equal(fired, ["added"]);
});

Deno.test("cancelled timers are let go of long before their time", () => {
  const timers = new Timers();
  timers.add(5, () => {});
  for (let i = 0; i < 100_000; i++) timers.add(1e9, () => {})();
  ok(timers.size < 1000, `${timers.size} are kept`);
  equal(timers.next(), 5);
});
