/** Content that is coded on its way from one stream to the other, a piece at a time, as the turn has time for it. */
import type { Phase, Stream } from "../../../gate/streams.ts";
import { promiseResolved } from "../../../gate/engine/loop.ts";
import { TurnBudget } from "../../../gate/engine/turn_budget.ts";
import { GateError } from "../../../gate/errors.ts";
import type { Passing } from "../content.ts";
import type { CodedContent } from "./coded_content.ts";

/** Coding of all connections in one turn, ms. */
const BUDGET = new TurnBudget(1);
const OUT = new Uint8Array(256 * 1024);
const NONE = { used: 0 };

/** Codes what came with the head, where the turn has time for that; where it ends in `out`. */
export function placeFirst(
  content: CodedContent,
  bytes: Uint8Array,
  from: number,
  out: Uint8Array,
  at: number,
): number {
  return BUDGET.open ? BUDGET.spend(() => content.place(bytes, from, out, at)) : at;
}

/** Until all of it has gone on. Rejects with GateError; "closed" where the source ends before its content. */
export async function passCoded(
  from: Stream,
  to: Stream,
  content: CodedContent,
  passing: Pick<Passing, "waits">,
): Promise<void> {
  const step: { used: number; wrote: void | Promise<void> } = { used: 0, wrote: undefined };
  let need = 1;
  const untilThere = (bytes: Uint8Array, phase: Phase) =>
    bytes.length >= need || phase !== "open" ? NONE : need;
  const use = (bytes: Uint8Array, phase: Phase) => {
    const ended = phase !== "open", size = content.place(bytes, 0, OUT, 0, ended);
    step.used = content.used;
    step.wrote = size > 0 ? to.write(OUT.subarray(0, size)) : undefined;
    need = step.used > 0 ? 1 : bytes.length + 1;
    if (ended && step.used === 0 && !content.done) {
      throw new GateError("closed", "upstream", "Cannot pass content on: the end came first");
    }
    return step;
  };
  while (!content.done) {
    const came = from.next(untilThere);
    if (came instanceof Promise) {
      passing.waits("source");
      await came;
    }
    const passed = inTime(() => from.next(use));
    if (passed instanceof Promise) await passed;
    if (step.wrote instanceof Promise) {
      passing.waits("sink");
      await step.wrote;
    }
  }
}

function inTime<T>(step: () => T): T | Promise<T> {
  if (BUDGET.open) return BUDGET.spend(step);
  return new Promise((resolve, reject) => {
    BUDGET.later(() => {
      promiseResolved();
      try {
        resolve(BUDGET.spend(step));
      } catch (thrown) {
        reject(thrown);
      }
    });
  });
}
