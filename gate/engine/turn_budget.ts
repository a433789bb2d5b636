/** Costly steps of many connections: so much time of a turn for all of them, the rest waits for the next ones, in order. */
import { again, atTurnEnd } from "./loop.ts";

type Step = () => void;

export class TurnBudget {
  /** In order; and those before them, the first one last: taking it from the front would move all behind it. */
  #waiting: Step[] = [];
  #first: Step[] = [];
  #spent = 0;

  /** `most` ms of a turn; a step that began within them is finished. One for each kind of step: it is never given up. */
  constructor(readonly most: number) {
    atTurnEnd(() => this.#spent = 0);
  }

  /** Whether a step may be done now; otherwise it is to be done `later`. */
  get open(): boolean {
    return this.#count === 0 && this.#spent < this.most;
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
  later(step: Step): void {
    if (this.#count === 0) again(this.#goOn);
    this.#waiting.push(step);
  }

  get #count(): number {
    return this.#waiting.length + this.#first.length;
  }

  /** Steps of connections that are gone spend nothing, and may be thousands: the time of all is looked at, too. */
  #goOn = (): void => {
    const began = performance.now();
    try {
      while (this.#count > 0 && this.#spent < this.most && performance.now() - began < this.most) {
        this.#take()();
      }
    } finally {
      if (this.#count > 0) again(this.#goOn);
    }
  };

  #take(): Step {
    if (this.#first.length === 0) {
      this.#first = this.#waiting.reverse();
      this.#waiting = [];
    }
    return this.#first.pop()!;
  }
}
