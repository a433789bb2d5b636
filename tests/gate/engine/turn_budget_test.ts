/** Steps that share a turn's time: their order, and that a turn ends whatever they are. */
import { again } from "../../../gate/engine/loop.ts";
import { TurnBudget } from "../../../gate/engine/turn_budget.ts";
import { equal, ok } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";

const budget = new TurnBudget(1);

function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

/** Does the steps, and counts the turns that it takes. */
async function turnsOf(steps: readonly (() => void)[]): Promise<number> {
  let turns = 0, left = steps.length;
  const count = (): void => {
    turns++;
    if (left > 0) again(count);
  };
  for (const step of steps) {
    budget.later(() => {
      left--;
      step();
    });
  }
  again(count);
  while (left > 0) await pause(1);
  return turns;
}

Deno.test("steps are done in their order, also those that come while others wait", async () => {
  const done: number[] = [];
  const later = (i: number) => budget.later(() => budget.spend(() => done.push(i)));
  await onLoop(async () => {
    await turnsOf(Array.from({ length: 50 }, (_, i) => () => {
      budget.spend(() => done.push(i));
      later(50 + i);
    }));
    while (done.length < 100) await pause(1);
  });
  equal(done, Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("steps that spend more than a turn has wait for other turns, and nobody goes before them", async () => {
  await onLoop(async () => {
    const opens: boolean[] = [];
    const turns = await turnsOf(Array.from({ length: 10 }, () => () => {
      budget.spend(() => busy(2));
      opens.push(budget.open);
    }));
    ok(turns >= 10, `${turns} turns`);
    equal(opens.includes(true), false);
    await pause(1);
    equal(budget.open, true);
  });
});

Deno.test("many steps with nothing to do any more do not take a turn for themselves", async () => {
  await onLoop(async () => {
    const turns = await turnsOf(Array.from({ length: 100 }, () => () => busy(0.1)));
    ok(turns > 2, `${turns} turns`);
  });
});
