/** What the engines counted, summed on main: the numbers behind the status page and the metrics. */
import { addDurations, type Durations, NO_DURATIONS } from "./durations.ts";
import type { JournalBatch } from "./journal.ts";
import type { EndedCount } from "./operations.ts";
import type { CountedRequests } from "./request_counts.ts";

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
  /** By what metrics call their route: those that are over, and how many are not. */
  readonly requests: readonly CountedRequests[];
}

export class Tally {
  /** By listener, protocol, outcome and side, tab-separated. */
  readonly #ended = new Map<string, number>();
  readonly #bytes = new Map<string, { up: number; down: number }>();
  readonly #limits = new Map<string, number>();
  /** By listener and protocol, tab-separated. */
  readonly #authFailures = new Map<string, number>();
  /** By route; how many are in flight is by engine. */
  readonly #requests = new Map<string, CountedRequests>();
  readonly #inFlight = new Map<number, Map<string, number>>();
  #sniff = NO_DURATIONS;
  #dial = NO_DURATIONS;

  /** What that engine counted. */
  add(batch: JournalBatch, engine: number): void {
    count(this.#ended, batch.counts);
    count(this.#authFailures, batch.authFailures);
    for (const [listener, up, down] of batch.bytes) {
      const bytes = this.#bytes.get(listener) ?? { up: 0, down: 0 };
      this.#bytes.set(listener, { up: bytes.up + up, down: bytes.down + down });
    }
    this.#sniff = addDurations(this.#sniff, batch.sniff);
    this.#dial = addDurations(this.#dial, batch.dial);
    for (const counted of batch.requests) this.#addRequests(counted, engine);
  }

  /** An engine was started: what was in flight on the one of this number before it is not any more. */
  started(engine: number): void {
    this.#inFlight.set(engine, new Map());
  }

  #addRequests(counted: CountedRequests, engine: number): void {
    const { route, inFlight } = counted, before = this.#requests.get(route);
    this.#requests.set(route, before ? addRequests(before, counted) : counted);
    let levels = this.#inFlight.get(engine);
    if (!levels) this.#inFlight.set(engine, levels = new Map());
    if (inFlight > 0) levels.set(route, inFlight);
    else levels.delete(route);
  }

  #requestsInFlight(route: string): number {
    let sum = 0;
    for (const levels of this.#inFlight.values()) sum += levels.get(route) ?? 0;
    return sum;
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
      requests: Array.from(
        this.#requests.values(),
        (counted) => ({ ...counted, inFlight: this.#requestsInFlight(counted.route) }),
      ),
    };
  }
}

const addRequests = (a: CountedRequests, b: CountedRequests): CountedRequests => ({
  route: a.route,
  statuses: a.statuses.map((count, at) => count + b.statuses[at]),
  retries: a.retries + b.retries,
  whole: addDurations(a.whole, b.whole),
  waited: addDurations(a.waited, b.waited),
  up: a.up + b.up,
  down: a.down + b.down,
  inFlight: b.inFlight,
});

function count(into: Map<string, number>, more: readonly (readonly [string, number])[]): void {
  for (const [key, times] of more) into.set(key, (into.get(key) ?? 0) + times);
}
