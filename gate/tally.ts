/** What the engines counted, summed on main: the numbers behind the status page and the metrics. */
import { DURATIONS, type Durations, type JournalBatch } from "./journal.ts";
import type { EndedCount } from "./operations.ts";

/** Plain data; nothing in it goes down while the gate runs. */
export interface Totals {
  /** Connections that are over. */
  readonly ended: readonly EndedCount[];
  /** By listener: from clients, and to them. */
  readonly bytes: Readonly<Record<string, { readonly up: number; readonly down: number }>>;
  /** By the limit's name. */
  readonly limitHits: Readonly<Record<string, number>>;
  readonly authFailures: readonly Readonly<Record<"listener" | "protocol", string> & { count: number }>[];
  readonly sniff: Durations;
  readonly dial: Durations;
}

export class Tally {
  /** By listener, protocol, outcome and side, tab-separated. */
  readonly #ended = new Map<string, number>();
  readonly #bytes = new Map<string, { up: number; down: number }>();
  readonly #limits = new Map<string, number>();
  /** By listener and protocol, tab-separated. */
  readonly #authFailures = new Map<string, number>();
  #sniff = NOTHING;
  #dial = NOTHING;

  add(batch: JournalBatch): void {
    count(this.#ended, batch.counts);
    count(this.#authFailures, batch.authFailures);
    for (const [listener, up, down] of batch.bytes) {
      const bytes = this.#bytes.get(listener) ?? { up: 0, down: 0 };
      this.#bytes.set(listener, { up: bytes.up + up, down: bytes.down + down });
    }
    this.#sniff = sum(this.#sniff, batch.sniff);
    this.#dial = sum(this.#dial, batch.dial);
  }

  hit(hits: readonly (readonly [string, number])[]): void {
    count(this.#limits, hits);
  }

  status(): Totals {
    const ended = [...this.#ended].map(([key, count]) => {
      const [listener, protocol, outcome, side] = key.split("\t");
      return { listener, protocol, outcome, ...(side && { side }), count };
    });
    const authFailures = [...this.#authFailures].map(([key, count]) => {
      const [listener, protocol] = key.split("\t");
      return { listener, protocol, count };
    });
    return {
      ended,
      bytes: Object.fromEntries(this.#bytes),
      limitHits: Object.fromEntries(this.#limits),
      authFailures,
      sniff: this.#sniff,
      dial: this.#dial,
    };
  }
}

const NOTHING: Durations = { counts: new Array(DURATIONS.length + 1).fill(0), sum: 0 };

const sum = (a: Durations, b: Durations): Durations => ({
  counts: a.counts.map((count, at) => count + b.counts[at]),
  sum: a.sum + b.sum,
});

function count(into: Map<string, number>, more: readonly (readonly [string, number])[]): void {
  for (const [key, times] of more) into.set(key, (into.get(key) ?? 0) + times);
}
