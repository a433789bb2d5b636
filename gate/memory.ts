/** The memory that engines share with each other and with main, and what is done with it when one of them dies. */
import { OWN_DIALS_SIZE, OwnDials } from "./engine/own_dials.ts";
import { closeAllOf, OWNERS_SIZE } from "./engine/owned.ts";
import { PAIR_MARKS_SIZE, PairMarks } from "./engine/pair_marks.ts";
import { Health, HEALTH_SIZE, OWN_HEALTH_SIZE } from "./health.ts";
import { LIMITS_SIZE } from "./limits.ts";
import { ratesSize } from "./rate_limits.ts";

export interface SharedMemory {
  /** limits.ts */
  readonly limits: SharedArrayBuffer;
  /** health.ts */
  readonly health: SharedArrayBuffer;
  /** rate_limits.ts: what a dead engine counted there passes by itself. */
  readonly rates: SharedArrayBuffer;
  /** Depth of the gate's own connections to itself, by local port: own_dials.ts. */
  readonly ownDials: SharedArrayBuffer;
  /** Turns of each engine's loop: who does not turn is dead or stuck. */
  readonly beats: SharedArrayBuffer;
  /** Who owns a descriptor: owned.ts. */
  readonly owners: SharedArrayBuffer;
  /** What pairs of sockets cannot carry: pair_marks.ts. */
  readonly pairs: SharedArrayBuffer;
}

/** What one engine counted in the tables of all. */
export interface Ledger {
  readonly limits: SharedArrayBuffer;
  readonly health: SharedArrayBuffer;
}

export function makeSharedMemory(engines: number): SharedMemory {
  return {
    limits: new SharedArrayBuffer(LIMITS_SIZE),
    health: new SharedArrayBuffer(HEALTH_SIZE),
    rates: new SharedArrayBuffer(ratesSize()),
    ownDials: new SharedArrayBuffer(OWN_DIALS_SIZE),
    beats: new SharedArrayBuffer(4 * engines),
    owners: new SharedArrayBuffer(OWNERS_SIZE),
    pairs: new SharedArrayBuffer(PAIR_MARKS_SIZE),
  };
}

export function makeLedger(): Ledger {
  return {
    limits: new SharedArrayBuffer(LIMITS_SIZE),
    health: new SharedArrayBuffer(OWN_HEALTH_SIZE),
  };
}

/**
 * Takes out of the tables what a dead engine counted, and closes the descriptors it left: its peers see an end. Its
 * thread must not run any more. The answer: how many descriptors.
 */
export function settle(memory: SharedMemory, ledger: Ledger, engine: number): number {
  const limits = new Int32Array(memory.limits);
  for (const [place, count] of new Int32Array(ledger.limits).entries()) {
    if (count !== 0) Atomics.sub(limits, place, count);
  }
  new Health(memory.health, ledger.health).forgive(ledger.health);
  new OwnDials(memory.ownDials, engine).forget();
  new PairMarks(memory.pairs).forget(engine);
  return closeAllOf(memory.owners, engine);
}
