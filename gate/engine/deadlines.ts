/**
 * Deadlines without timers: one number for each owner, swept a few times a second. Setting one costs a store, so a
 * relay may move its own with every batch.
 */

/** Who has a deadline. */
export interface Expiring {
  expired(): void;
}

/** How often deadlines are looked at, ms: the precision of all of them. */
export const SWEEP_INTERVAL = 100;

export class Deadlines {
  #at = new Float64Array(256);
  #owners: (Expiring | undefined)[] = [];
  #free: number[] = [];

  /** A slot for `owner`, without a deadline yet. */
  claim(owner: Expiring): number {
    const slot = this.#free.pop() ?? this.#owners.length;
    if (slot === this.#at.length) {
      const grown = new Float64Array(slot * 2);
      grown.set(this.#at);
      this.#at = grown;
    }
    this.#owners[slot] = owner;
    this.#at[slot] = 0;
    return slot;
  }

  /** `at` in the loop's time; 0: none. */
  set(slot: number, at: number): void {
    this.#at[slot] = at;
  }

  release(slot: number): void {
    this.#owners[slot] = undefined;
    this.#at[slot] = 0;
    this.#free.push(slot);
  }

  /** Tells every owner whose time is over, once. */
  sweep(now: number): void {
    for (let slot = 0; slot < this.#owners.length; slot++) {
      const at = this.#at; // who expires may claim a slot, and the array may grow
      if (at[slot] === 0 || at[slot] > now) continue;
      at[slot] = 0;
      this.#owners[slot]?.expired();
    }
  }
}
