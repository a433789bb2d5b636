/**
 * Visits by this engine to what connections of other engines offer. They are told where a session looks at them, in
 * batches: an order costs both threads more than a request does.
 */
import { after } from "../engine/loop.ts";
import type { Visit } from "../operations.ts";
import type { Report } from "../orders.ts";
import type { LiveRow } from "./live_names.ts";

/** By connection; plain data. */
export type FarVisits = ReadonlyMap<number, {
  readonly visits: readonly Visit[];
  /** How many came before these that are not told. */
  readonly leftOut: number;
}>;

export type TellOfVisits = (report: Extract<Report, { op: "watching" | "visits" }>) => void;

/** Between two batches, ms. */
const PACE = 100;
/** Visits of a batch to one connection: about what a session keeps; and to all of them. */
const MOST = 150, MOST_IN_ALL = 1000;

type Waiting = Map<number, { visits: Visit[]; leftOut: number }>;

export class FarWatch {
  readonly #tell: TellOfVisits;
  /** Connections that sessions of other engines look at, or of this one. */
  readonly #watched = new Set<number>();
  /** What is to be told, by engine. */
  readonly #waiting = new Map<number, Waiting>();
  #size = 0;

  constructor(tell: TellOfVisits) {
    this.#tell = tell;
  }

  get any(): boolean {
    return this.#watched.size > 0;
  }

  watching(connection: number, on: boolean): void {
    if (on) this.#watched.add(connection);
    else this.#watched.delete(connection);
  }

  /** Who is to hear of visits to that; undefined: nobody looks. */
  of({ connection, engine }: LiveRow): ((visit: Visit) => void)[] | undefined {
    return this.#watched.has(connection) ? [(visit) => this.#add(visit, connection, engine)] : undefined;
  }

  #add(visit: Visit, connection: number, engine: number): void {
    if (this.#waiting.size === 0) after(PACE, () => this.#send());
    const waiting: Waiting = this.#waiting.get(engine) ?? new Map();
    const told = waiting.get(connection) ?? { visits: [], leftOut: 0 };
    this.#waiting.set(engine, waiting.set(connection, told));
    if (told.visits.length === MOST || told.visits.length > 0 && this.#size >= MOST_IN_ALL) {
      told.visits.shift();
      told.leftOut++;
    } else this.#size++;
    told.visits.push(visit);
  }

  #send(): void {
    for (const [engine, visits] of this.#waiting) this.#tell({ op: "visits", engine, visits });
    this.#waiting.clear();
    this.#size = 0;
  }
}
