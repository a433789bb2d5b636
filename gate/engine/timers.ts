/** Timers of the engine loop: a binary heap by due time. Cancelled ones stay until they come up or are many. */

/** More cancelled ones than this, and than live ones, are swept out. */
const MOST_CANCELLED = 256;

interface Timer {
  readonly at: number;
  act: (() => void) | undefined;
}

export class Timers {
  #heap: Timer[] = [];
  #cancelled = 0;

  /** How many are kept. */
  get size(): number {
    return this.#heap.length;
  }

  /** Calls `act` when `fire` is called at or after `at`; the answer cancels it. */
  add(at: number, act: () => void): () => void {
    const timer: Timer = { at, act };
    this.#push(timer);
    return () => this.#cancel(timer);
  }

  /** When the next one is due; Infinity: none. */
  next(): number {
    while (this.#heap.length > 0 && this.#heap[0].act === undefined) this.#pop();
    return this.#heap.length > 0 ? this.#heap[0].at : Infinity;
  }

  /** Hands every due timer to `run`. */
  fire(now: number, run: (act: () => void) => void): void {
    while (this.#heap.length > 0 && this.#heap[0].at <= now) {
      const timer = this.#pop(), { act } = timer;
      timer.act = undefined; // cancelling what has fired does nothing
      if (act) run(act);
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.push(timer) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent].at <= timer.at) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = timer;
  }

  #cancel(timer: Timer): void {
    if (timer.act === undefined) return;
    timer.act = undefined;
    this.#cancelled++;
    if (this.#cancelled <= MOST_CANCELLED || this.#cancelled * 2 < this.#heap.length) return;
    const live = this.#heap.filter(({ act }) => act !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const each of live) this.#push(each);
  }

  #pop(): Timer {
    const heap = this.#heap, first = heap[0], last = heap.pop()!;
    if (first.act === undefined) this.#cancelled--;
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
