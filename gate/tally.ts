/** What the engines counted, summed on main: the numbers behind the status page. */
import type { JournalBatch } from "./journal.ts";

export class Tally {
  /** By listener, protocol, outcome and side, tab-separated. */
  readonly #connections = new Map<string, number>();
  /** By listener: from clients, and to them. */
  readonly #bytes = new Map<string, { up: number; down: number }>();
  readonly #limits = new Map<string, number>();

  add(batch: JournalBatch): void {
    for (const [key, times] of batch.counts) {
      this.#connections.set(key, (this.#connections.get(key) ?? 0) + times);
    }
    for (const [listener, up, down] of batch.bytes) {
      const bytes = this.#bytes.get(listener) ?? { up: 0, down: 0 };
      this.#bytes.set(listener, { up: bytes.up + up, down: bytes.down + down });
    }
  }

  hit(hits: readonly (readonly [string, number])[]): void {
    for (const [limit, times] of hits) this.#limits.set(limit, (this.#limits.get(limit) ?? 0) + times);
  }

  /** Plain data for the status page. */
  status() {
    const ended = [...this.#connections].map(([key, count]) => {
      const [listener, protocol, outcome, side] = key.split("\t");
      return { listener, protocol, outcome, ...(side && { side }), count };
    });
    return { ended, bytes: Object.fromEntries(this.#bytes), limitHits: Object.fromEntries(this.#limits) };
  }
}
