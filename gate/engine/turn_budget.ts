/** Costly steps of many connections: so much time of a turn for all of them, the rest waits for the next ones, in order. */
import { again } from "./loop.ts";

export class TurnBudget {
  #waiting: (() => void)[] = [];
  #spent = 0;
  #opensAgain = false;

  /** `most` ms of a turn; a step that began within them is finished. */
  constructor(readonly most: number) {}

  /** Whether a step may be done now; otherwise it is `later`'s turn some time. */
  get open(): boolean {
    return this.#waiting.length === 0 && this.#spent < this.most;
  }

  /** Does the step. */
  spend<T>(step: () => T): T {
    const began = performance.now();
    try {
      return step();
    } finally {
      this.#spent += performance.now() - began;
      this.#reopen();
    }
  }

  /** Calls `step` in a later turn, when there is time for it; it spends. */
  later(step: () => void): void {
    this.#waiting.push(step);
    this.#reopen();
  }

  #reopen(): void {
    if (this.#opensAgain) return;
    this.#opensAgain = true;
    again(() => {
      this.#opensAgain = false;
      this.#spent = 0;
      try {
        while (this.#waiting.length > 0 && this.#spent < this.most) this.#waiting.shift()!();
      } finally {
        if (this.#waiting.length > 0) this.#reopen();
      }
    });
  }
}
