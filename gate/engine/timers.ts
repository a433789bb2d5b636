/** Timers of the engine loop: a binary heap by due time. Cancelled ones stay until they come up. */

interface Timer {
  readonly at: number;
  act: (() => void) | undefined;
}

export class Timers {
  #heap: Timer[] = [];

  /** Calls `act` when `fire` is called at or after `at`; the answer cancels it. */
  add(at: number, act: () => void): () => void {
    const timer: Timer = { at, act };
    const heap = this.#heap;
    let i = heap.push(timer) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent].at <= at) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = timer;
    return () => void (timer.act = undefined);
  }

  /** When the next one is due; Infinity: none. */
  next(): number {
    while (this.#heap.length > 0 && this.#heap[0].act === undefined) this.#pop();
    return this.#heap.length > 0 ? this.#heap[0].at : Infinity;
  }

  /** Hands every due timer to `run`. */
  fire(now: number, run: (act: () => void) => void): void {
    while (this.#heap.length > 0 && this.#heap[0].at <= now) {
      const { act } = this.#pop();
      if (act) run(act);
    }
  }

  #pop(): Timer {
    const heap = this.#heap, first = heap[0], last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].at < heap[child].at) child++;
      if (heap[child].at >= last.at) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
