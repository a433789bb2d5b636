import { type Failure, GateError } from "../../../../gate/errors.ts";
import { Setbacks } from "../../../../protocols/ssh/client/setbacks.ts";
import { equal, ok } from "../../../support/assert.ts";

const failure = (kind: Failure) => new GateError(kind, "upstream", "Cannot log in: the test says so");
const REFUSED = failure("unauthenticated"), BROKEN = failure("reset");

/** How long after `now` it is tried again, ms. */
function pauseOf(setbacks: Setbacks, now: number): number {
  let pause = 0;
  while (setbacks.why("gate", now + pause)) pause += 50;
  return pause;
}

Deno.test("who is refused hears the same for some seconds, and longer each time, up to a bound", () => {
  const setbacks = new Setbacks(() => 0), pauses: number[] = [];
  let now = 0;
  for (let i = 0; i < 5; i++) {
    setbacks.failed("gate", REFUSED, now);
    equal([setbacks.why("gate", now), setbacks.why("other", now)], [REFUSED, undefined]);
    pauses.push(pauseOf(setbacks, now));
    now += pauses[i];
  }
  equal(pauses, [5000, 10_000, 20_000, 30_000, 30_000]);
  setbacks.failed("gate", REFUSED, now + 200_000);
  equal(pauseOf(setbacks, now + 200_000), 5000); // long after that
});

Deno.test("what broke is tried again soon, and what works again begins anew", () => {
  const setbacks = new Setbacks(() => 0);
  setbacks.failed("gate", BROKEN, 0);
  equal(pauseOf(setbacks, 0), 200);
  setbacks.failed("gate", BROKEN, 200);
  equal(pauseOf(setbacks, 200), 400);
  setbacks.succeeded("gate");
  equal(setbacks.why("gate", 200), undefined);
  setbacks.failed("gate", BROKEN, 300);
  equal(pauseOf(setbacks, 300), 200);
});

Deno.test("a part of each pause is left to chance", () => {
  const pauses = [0, 0.5, 0.999].map((chance) => {
    const setbacks = new Setbacks(() => chance);
    setbacks.failed("gate", REFUSED, 0);
    return pauseOf(setbacks, 0);
  });
  equal([pauses[0], pauses[1]], [5000, 3750]);
  ok(pauses[2] >= 2500 && pauses[2] < 2600, String(pauses[2]));
});

Deno.test("of many gates those that failed last are remembered", () => {
  const setbacks = new Setbacks();
  for (let i = 0; i < 5000; i++) setbacks.failed(`gate ${i}`, REFUSED, 0);
  equal([setbacks.size, setbacks.why("gate 0", 1), setbacks.why("gate 4999", 1)], [1024, undefined, REFUSED]);
});
