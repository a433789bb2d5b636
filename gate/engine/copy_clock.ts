/** Whether a copy keeps its pace: one deadline that is looked at again, and costs nothing for each batch. */
import type { Pace, Progress } from "../streams.ts";
import { atLimit, GateError, type Side } from "../errors.ts";
import type { Expiring } from "./deadlines.ts";
import { deadlines, now } from "./loop.ts";

/** What a copy is doing. */
export interface Pacing extends Progress {
  /** The sink does not take what was read. */
  readonly stuck: boolean;
}

export class CopyClock implements Expiring {
  readonly #pace: Pace;
  readonly #source: Side;
  readonly #sink: Side;
  readonly #progress: () => Pacing;
  readonly #late: (reason: GateError) => void;
  readonly #slot = deadlines.claim(this);
  readonly #began = now;
  /** When it was looked at, and what had moved by then. */
  #looked = now;
  #moved = 0;

  constructor(
    pace: Pace,
    source: Side,
    sink: Side,
    progress: () => Pacing,
    late: (reason: GateError) => void,
  ) {
    this.#pace = pace;
    this.#source = source;
    this.#sink = sink;
    this.#progress = progress;
    this.#late = late;
    this.#wait();
  }

  stop(): void {
    deadlines.release(this.#slot);
  }

  /** Silence is noticed after one time without a byte, at the latest after twice that. */
  expired(): void {
    const { moved, stuck } = this.#progress(), { source, sink, least } = this.#pace;
    const silent = moved === this.#moved && now - this.#looked >= (stuck ? sink : source);
    if (silent && stuck) return this.#late(tooSlow(this.#sink, "takes nothing"));
    if (silent) return this.#late(tooSlow(this.#source, "sends nothing"));
    const elapsed = now - this.#began;
    if (!stuck && elapsed >= source && moved < elapsed / 1000 * least) {
      return this.#late(tooSlow(this.#source, "sends too slowly"));
    }
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#looked = now;
    }
    this.#wait();
  }

  #wait(): void {
    deadlines.set(this.#slot, now + Math.min(this.#pace.source, this.#pace.sink));
  }
}

/** Content does not keep its pace; a client's slowness is counted. */
export function tooSlow(side: Side, what: string): GateError {
  const reason = new GateError("timeout", side, `Cannot pass content on: the ${side} ${what}`);
  return side === "client" ? atLimit("bodyTimeout", reason) : reason;
}
