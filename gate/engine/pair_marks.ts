/**
 * What a pair of sockets cannot carry: whether an end is one, or a reset. Each pair has a place in memory that all threads
 * share, where a side says before it ends that it does; an end of which nothing was said is a reset, as when its thread dies.
 */
import { GateError } from "../errors.ts";

/** Of each side: it said its end; it is closed. */
const ENDED = 1, CLOSED = 4;
const TAKEN = 16, ENGINE_BITS = 8, ENGINES = 12, ENGINE = (1 << ENGINES) - 1;
const PLACES = 65_536;
/** Bytes of the shared memory: touched only where pairs are. */
export const PAIR_MARKS_SIZE = 4 * PLACES;

/** 0: the side that asked for the pair; 1: the other. */
export type PairSide = 0 | 1;

/** One side of one pair. */
export interface PairMark {
  /** Nothing more is sent. */
  ended(): void;
  /** Its descriptor is gone: the last one of both gives the place back. */
  closed(): void;
  readonly peerEnded: boolean;
}

export class PairMarks {
  readonly #places: Int32Array;
  #next = 0;

  constructor(shared: SharedArrayBuffer) {
    this.#places = new Int32Array(shared);
  }

  /** A place for a pair whose sides are these engines'. Throws GateError "exhausted". */
  claim(one: number, other: number): number {
    const taken = TAKEN | one << ENGINE_BITS | other << (ENGINE_BITS + ENGINES);
    for (let i = 0; i < PLACES; i++) {
      const place = this.#next;
      this.#next = (place + 1) % PLACES;
      if (Atomics.compareExchange(this.#places, place, 0, taken) === 0) return place;
    }
    throw new GateError("exhausted", "gate", `Cannot reach another thread: ${PLACES} streams do already`);
  }

  side(place: number, side: PairSide): PairMark {
    const places = this.#places;
    return {
      ended: () => void Atomics.or(places, place, ENDED << side),
      closed: () => close(places, place, side),
      get peerEnded() {
        return (places[place] & ENDED << 1 - side) !== 0;
      },
    };
  }

  /** It is dead: its sides are closed, and said no end. */
  forget(engine: number): void {
    for (const [place, mark] of this.#places.entries()) {
      if (mark === 0) continue;
      if ((mark >> ENGINE_BITS & ENGINE) === engine) close(this.#places, place, 0);
      if ((mark >> ENGINE_BITS + ENGINES & ENGINE) === engine) close(this.#places, place, 1);
    }
  }
}

function close(places: Int32Array, place: number, side: PairSide): void {
  const before = Atomics.or(places, place, CLOSED << side);
  if (before & CLOSED << 1 - side) Atomics.store(places, place, 0);
}
