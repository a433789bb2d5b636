/** Work over many things that gives way: nothing holds the thread for longer than a slice. */
import { again } from "./loop.ts";

/** ms */
const SLICE = 0.5;
/** The clock is read once in so many. */
const STRIDE = 16;

/** Calls `each` with all items, some in each turn of the loop, then `done`. */
export function inSlices<T>(items: readonly T[], each: (item: T) => void, done: () => void, at = 0): void {
  const until = performance.now() + SLICE;
  for (let i = at; i < items.length; i++) {
    each(items[i]);
    if ((i + 1) % STRIDE === 0 && performance.now() > until) {
      return again(() => inSlices(items, each, done, i + 1));
    }
  }
  done();
}
