/**
 * How much a peer may send on one channel: given back for what was delivered alone, and more where the way is long. What
 * all channels of a connection have grown to is bounded, for what nobody takes has to be kept.
 */

/** What a channel begins with: more than a look shows at most, and layers within put around it. What one may grow to. */
export const FIRST_WINDOW = 2 ** 18, MOST_WINDOW = 2 ** 24;
/** What the channels of one connection may grow by in all. */
const MOST_GROWTH = 2 ** 26;

/** Of a connection: what its channels share. */
export class Growth {
  left = MOST_GROWTH;

  /** `roundTrip`: ms. */
  constructor(readonly roundTrip: number) {}
}

export class Window {
  /** Bytes that the peer may still send. */
  left = FIRST_WINDOW;
  /** What it may have under way, or with us undelivered, in all. */
  #size = FIRST_WINDOW;
  #credit = 0;
  /** Delivered since then, in the loop's time. */
  #delivered = 0;
  #since: number;
  readonly #growth: Growth;

  constructor(growth: Growth, now: number) {
    this.#growth = growth;
    this.#since = now;
  }

  /** So many came; false: more than there was room for. */
  took(bytes: number): boolean {
    this.left -= bytes;
    return this.left >= 0;
  }

  /** So many were delivered; the answer is what to give the peer now, 0: nothing yet. */
  delivered(bytes: number, now: number): number {
    this.#delivered += bytes;
    this.#credit += bytes + this.#grow(now);
    if (this.#credit < this.#size / 4) return 0;
    const given = this.#credit;
    this.left += given;
    this.#credit = 0;
    return given;
  }

  /** The channel is gone: others may grow. */
  release(): void {
    this.#growth.left += this.#size - FIRST_WINDOW;
    this.#size = FIRST_WINDOW;
  }

  /** Where half a window is delivered in a round trip the peer waits for us: it gets twice as much. */
  #grow(now: number): number {
    const { roundTrip } = this.#growth, passed = now - this.#since;
    if (passed < roundTrip || passed === 0) return 0;
    const inRoundTrip = this.#delivered * roundTrip / passed;
    this.#since = now;
    this.#delivered = 0;
    if (inRoundTrip <= this.#size / 2) return 0;
    const more = Math.min(this.#size, MOST_WINDOW - this.#size, this.#growth.left);
    this.#growth.left -= more;
    this.#size += more;
    return more;
  }
}
