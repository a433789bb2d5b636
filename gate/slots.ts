/** Work of which so much runs at a time and so much waits: what is preferred waits apart, and goes first. */
export class Slots {
  #free: number;
  readonly #preferred: (() => void)[] = [];
  readonly #others: (() => void)[] = [];

  /** `waiting`: of each of the two. */
  constructor(running: number, readonly waiting: number) {
    this.#free = running;
  }

  /** undefined: no place. */
  run<T>(preferred: boolean, act: () => Promise<T>): Promise<T> | undefined {
    const queue = preferred ? this.#preferred : this.#others;
    if (this.#free === 0 && queue.length >= this.waiting) return undefined;
    return this.#enter(queue).then(act).finally(() => {
      const next = this.#preferred.shift() ?? this.#others.shift();
      if (next) next();
      else this.#free++;
    });
  }

  #enter(queue: (() => void)[]): Promise<void> {
    if (this.#free === 0) return new Promise((begin) => queue.push(begin));
    this.#free--;
    return Promise.resolve();
  }
}
