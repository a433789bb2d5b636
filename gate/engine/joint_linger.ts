/**
 * Closes a joint behind an answer: FIN, then what the peer still sends is thrown away for a moment, for a reset may
 * overtake the answer. What Linger is for a raw socket.
 */
import type { Joint, Taker } from "../streams.ts";
import { GateError } from "../errors.ts";
import type { Expiring } from "./deadlines.ts";
import { LINGER_MOST, LINGER_TIME } from "./linger.ts";
import { deadlines, now } from "./loop.ts";

export class JointLinger implements Taker, Expiring {
  readonly #joint: Joint;
  readonly #slot = deadlines.claim(this);
  #left = LINGER_MOST;
  #over = false;

  constructor(joint: Joint) {
    this.#joint = joint;
    deadlines.set(this.#slot, now + LINGER_TIME);
    joint.join(this);
    joint.end();
  }

  take(_bytes: Uint8Array, _at: number, size: number): void {
    this.#left -= size;
    this.#joint.delivered(size);
  }

  flush(): void {
    if (this.#left <= 0) this.expired();
  }

  room(): void {}

  end(): void {
    this.#finish();
  }

  broke(): void {
    this.#finish();
  }

  expired(): void {
    if (!this.#finish()) return;
    this.#joint.abort(
      new GateError("closed", "gate", "Cannot go on: the stream is closed, and its peer sends on"),
    );
  }

  /** Whether it was not over yet. */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    deadlines.release(this.#slot);
    return true;
  }
}
