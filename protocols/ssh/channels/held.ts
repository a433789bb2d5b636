/**
 * Bytes that came and were not delivered yet: what nobody takes has to be kept. What all channels of a connection keep is
 * bounded, and what all connections of a thread do; beyond, the channel that keeps most is reset.
 */

/** Of one connection; of all of a thread. */
export const MOST_OF_CONNECTION = 2 ** 25, MOST_OF_THREAD = 2 ** 27;

/** Who keeps some. */
export interface Holder {
  readonly held: number;
  /** Gives up the most that can be given up at once: it is too much. */
  evict(): void;
}

export class Held implements Holder {
  held = 0;
  readonly #most: number;
  /** What this is a part of. */
  readonly #whole: Held | undefined;
  readonly #holders = new Set<Holder>();

  constructor(most: number, whole?: Held) {
    this.#most = most;
    this.#whole = whole;
  }

  /** `holder` keeps so many more, which it counts already. */
  add(holder: Holder, bytes: number): void {
    this.held += bytes;
    this.#holders.add(holder);
    this.#whole?.add(this, bytes);
    while (this.held > this.#most) this.evict();
  }

  /** `holder` keeps so many less, which it counts no more. */
  drop(holder: Holder, bytes: number): void {
    this.held -= bytes;
    if (holder.held === 0) this.#holders.delete(holder);
    this.#whole?.drop(this, bytes);
  }

  evict(): void {
    let most: Holder | undefined;
    for (const one of this.#holders) if (!most || one.held > most.held) most = one;
    most!.evict();
  }
}

/** Of this thread. */
export const heldHere = new Held(MOST_OF_THREAD);
