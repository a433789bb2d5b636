/**
 * A relay joins two streams until both directions ended, one was reset, or nothing moved for the idle time. It owns
 * both: a reset of one is passed on as a reset of the other, an end as an end.
 */
import type { GateError } from "../errors.ts";

/** What a relay tells its owner. */
export interface RelayOwner {
  /** Everything moved, or why not; the streams are closed. */
  relayed(up: number, down: number, failure: GateError | undefined): void;
}

/** A relay under way. */
export interface Relay {
  /** Begins to move: its owner has to know it before, for it may end at once. */
  start(): void;
  readonly up: number;
  readonly down: number;
  abort(reason: GateError): void;
}
