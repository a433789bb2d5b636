/** Costly steps of many connections: so much time of a turn for all of them, the rest waits for the next ones, in order. */
import { again, atTurnEnd } from "./loop.ts";

export class TurnBudget {
  #waiting: (() => void)[] = [];
  #spent = 0;

  /** `most` ms of a turn; a step that began within them is finished. One for each kind of step: it is never given up. */
  constructor(readonly most: number) {
    atTurnEnd(() => this.#spent = 0);
  }

  /** Whether a step may be done now; otherwise it is to be done `later`. */
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
    }
  }

  /** Calls `step` in a later turn, when there is time for it; it spends. */
  later(step: () => void): void {
    if (this.#waiting.push(step) === 1) again(this.#goOn);
  }

  #goOn = (): void => {
    try {
      while (this.#waiting.length > 0 && this.#spent < this.most) this.#waiting.shift()!();
    } finally {
      if (this.#waiting.length > 0) again(this.#goOn);
    }
  };
}
