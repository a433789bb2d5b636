/**
 * A relay joins two streams until both directions ended, one was reset, or nothing moved for the idle time. It owns
 * both: a reset of one is passed on as a reset of the other, an end as an end.
 */
import { atLimit, GateError, type Side } from "../errors.ts";

/** What a relay tells its owner. */
export interface RelayOwner {
  /** Everything moved, or why not; the streams are closed. */
  relayed(up: number, down: number, failure: GateError | undefined): void;
}

/**
 * Sees what the client sends before it goes on, `size` bytes from `at`, valid during the call. What it throws ends the
 * relay as a failure, and those bytes go nowhere.
 */
export type Inspect = (bytes: Uint8Array, at: number, size: number) => void;

/** Nothing moved for so long that it ends. */
export const idleTooLong = (): GateError =>
  atLimit("idleTimeout", new GateError("timeout", "gate", "Cannot go on: nothing moved for the idle time"));

/** Silence that a relay bears, ms: while both sides may speak, and when one of them has ended. */
export interface RelayPatience {
  readonly open: number;
  readonly halfOpen: number;
}

/** One side has ended, and the other one neither ends nor says anything for so long. */
export const endedAlone = (side: Side): GateError => {
  const who = side === "client" ? "the client" : "the upstream";
  return new GateError("closed", side, `Cannot go on: ${who} has ended, and the other side stays silent`);
};

/** A relay under way. */
export interface Relay {
  /** Begins to move: its owner has to know it before, for it may end at once. */
  start(): void;
  readonly up: number;
  readonly down: number;
  abort(reason: GateError): void;
}
