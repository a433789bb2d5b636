/**
 * How much a peer may send on one channel: given back for what was delivered alone, and more where it is used up. Whether
 * it is shows what comes in a round trip, which is seen and not timed: the peer is asked something, and what it has sent
 * before its answer is what a window has to hold.
 */
import type { Flow } from "./flow.ts";
import type { Holder } from "./held.ts";

/** What one may grow to. */
export const MOST_WINDOW = 2 ** 24;
/** Half windows that are delivered before the next look, at most: where one is large enough nobody asks often. */
const MOST_PATIENCE = 128;

export class Window implements Holder {
  /** Bytes that the peer may still send. */
  left: number;
  /** Came, and were not delivered. */
  held = 0;
  /** Gives up its channel. */
  readonly evict: () => void;
  /** What it may have under way, or with us undelivered, in all. */
  #size: number;
  readonly #first: number;
  #credit = 0;
  /** Delivered since the last look, and the half windows to wait for. */
  #delivered = 0;
  #patience = 1;
  /** The round that is looked at, and what came in it. */
  #round = 0;
  #came = 0;
  /** It was what the peer waited for. */
  #isTight = false;
  /** Nothing comes any more: it grows no more, for nobody would give that back. */
  #released = false;
  /** Nothing is kept of what comes. */
  #dropped = false;
  readonly #flow: Flow;

  constructor(flow: Flow, size: number, evict: () => void) {
    this.#flow = flow;
    this.left = this.#size = this.#first = size;
    this.evict = evict;
  }

  /** So many came; false: more than there was room for. */
  took(bytes: number): boolean {
    this.left -= bytes;
    if (this.left < 0) return false;
    if (this.#dropped) return true;
    this.#look();
    if (this.#round % 2 > 0) this.#came += bytes;
    this.held += bytes;
    this.#flow.held.add(this, bytes);
    return true;
  }

  /** So many were delivered; the answer is what to give the peer now, 0: nothing yet. */
  delivered(bytes: number): number {
    if (this.#dropped) return 0;
    this.held -= bytes;
    this.#flow.held.drop(this, bytes);
    this.#delivered += bytes;
    this.#credit += bytes + (this.#released ? 0 : this.#grow());
    if (this.#credit < this.#size / 4) return 0;
    const given = this.#credit;
    this.left += given;
    this.#credit = 0;
    return given;
  }

  /** Nothing comes any more: others may grow. What came may still be delivered. */
  release(): void {
    this.#released = true;
    this.#flow.left += this.#size - this.#first;
    this.#size = this.#first;
  }

  /** What came and comes is thrown away. */
  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    const { held } = this;
    this.held = 0;
    this.#flow.held.drop(this, held);
  }

  /** Half a window in a round trip, and the peer waits for us or soon will: it gets twice as much. */
  #grow(): number {
    const flow = this.#flow;
    this.#look();
    if (this.#isTight && this.held <= this.#size / 2) {
      const more = Math.min(this.#size, MOST_WINDOW - this.#size, flow.left);
      this.#isTight = false;
      flow.left -= more;
      this.#size += more;
      return more;
    }
    if (this.#delivered < this.#size / 2 * this.#patience || this.#size === MOST_WINDOW) return 0;
    this.#delivered = 0;
    flow.look();
    this.#look();
    return 0;
  }

  /** A round has begun or ended meanwhile. */
  #look(): void {
    const { round } = this.#flow;
    if (round === this.#round) return;
    if (this.#round % 2 > 0) {
      this.#isTight = this.#came > this.#size / 2;
      this.#patience = this.#isTight ? 1 : Math.min(2 * this.#patience, MOST_PATIENCE);
    }
    this.#round = round;
    this.#came = 0;
  }
}
