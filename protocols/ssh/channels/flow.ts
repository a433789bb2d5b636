/** What the windows of a connection share: what they may grow by, what they keep, and the rounds in which they look. */
import { Held, heldHere, MOST_OF_CONNECTION } from "./held.ts";

/** What a channel begins with; with so many of them open the next ones begin with less. */
export const FIRST_WINDOW = 2 ** 18, CROWDED_WINDOW = 2 ** 17, MOST_AT_FIRST = 64;
/** What the channels of one connection may grow by in all. */
export const MOST_GROWTH = 2 ** 25;

export class Flow {
  /** What may be grown by yet. */
  left = MOST_GROWTH;
  /** Odd: the peer was asked something, and what comes before its answer comes within a round trip. */
  round = 0;
  readonly held: Held;
  readonly #ask: (answered: () => void) => void;

  /** `ask` asks the peer what it answers at once. */
  constructor(ask: (answered: () => void) => void, all = heldHere) {
    this.#ask = ask;
    this.held = new Held(MOST_OF_CONNECTION, all);
  }

  /** Begins a round, unless one is under way. A peer that never answers gets windows that never grow. */
  look(): void {
    if (this.round % 2 > 0) return;
    this.round++;
    this.#ask(() => this.round++);
  }
}

/** For a channel beside so many others: more than a look shows at most, and layers within put around it. */
export const firstWindow = (others: number): number => others < MOST_AT_FIRST ? FIRST_WINDOW : CROWDED_WINDOW;
