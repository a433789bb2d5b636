/** When keys have served long enough (RFC 4253 9, RFC 4344 3), and how often a peer may ask for new ones. */
import { GateError, type Side } from "../../gate/errors.ts";
import { now } from "../../gate/engine/loop.ts";
import { who } from "./failure.ts";

export interface KeyLife {
  /** Bytes of packets in either direction. */
  readonly bytes: number;
  /** ms. Looked at when something is sent or comes: an idle connection keeps its keys. */
  readonly time: number;
}

/** RFC 4253 9, and never near the 2^32 packets after which sequence numbers come again. */
export const KEY_LIFE: KeyLife = { bytes: 2 ** 30, time: 3_600_000 };

/** Exchanges that a peer may begin with fewer bytes between them than these, at once; then one in so many ms. */
const MOST_IDLE = 16, IDLE_INTERVAL = 10_000, WORTH_IT = 2 ** 20;

export class Rekeying {
  readonly #life: KeyLife;
  readonly #side: Side;
  #since = now;
  #allowance = MOST_IDLE;
  #counted = now;

  constructor(side: Side, life: KeyLife = KEY_LIFE) {
    this.#side = side;
    this.#life = life;
  }

  /** New keys hold. */
  done(): void {
    this.#since = now;
  }

  /** Whether keys that served for so many bytes have to be changed. */
  isDue(bytes: number): boolean {
    return bytes >= this.#life.bytes || now - this.#since >= this.#life.time;
  }

  /** The peer begins an exchange behind so many bytes: each costs us a millisecond. Throws GateError "exhausted". */
  asked(bytes: number): void {
    if (bytes >= WORTH_IT) return;
    this.#allowance = Math.min(MOST_IDLE, this.#allowance + (now - this.#counted) / IDLE_INTERVAL);
    this.#counted = now;
    this.#allowance--;
    if (this.#allowance >= 0) return;
    throw new GateError(
      "exhausted",
      this.#side,
      `Cannot change keys: ${who(this.#side)} asks for it too often`,
    );
  }
}
