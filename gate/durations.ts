/** Durations in buckets: observed on engines, told in batches, summed on main. */

/** Bounds of a histogram's buckets, ms: each counts what took at most so long. */
export const DURATIONS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

export interface Durations {
  /** One more than DURATIONS: the last took longer. Not cumulative. */
  readonly counts: readonly number[];
  /** ms */
  readonly sum: number;
}

export class Histogram {
  /** How many durations were observed. */
  total = 0;
  #sum = 0;
  #counts = zeros();

  observe(ms: number): void {
    let bucket = 0;
    while (ms > DURATIONS[bucket]) bucket++; // behind the last bound nothing is greater than undefined
    this.#counts[bucket]++;
    this.#sum += ms;
    this.total++;
  }

  /** What was observed since the last call. */
  take(): Durations {
    const taken = { counts: this.#counts, sum: this.#sum };
    this.total = this.#sum = 0;
    this.#counts = zeros();
    return taken;
  }
}

const zeros = (): number[] => Array<number>(DURATIONS.length + 1).fill(0);

export const NO_DURATIONS: Durations = { counts: zeros(), sum: 0 };

export const addDurations = (a: Durations, b: Durations): Durations => ({
  counts: a.counts.map((count, at) => count + b.counts[at]),
  sum: a.sum + b.sum,
});

/**
 * Below which a share of them took (0.99: all but the slowest hundredth), ms: within its bucket they are taken to lie
 * evenly, and what took longer than all buckets as long as the last. undefined: nothing was observed.
 */
export function quantile({ counts }: Durations, share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0), wanted = share * total;
  let below = 0;
  for (const [at, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const from = DURATIONS[at - 1] ?? 0, to = DURATIONS[at] ?? DURATIONS.at(-1)!;
      return from + (to - from) * Math.max(0, wanted - below) / count;
    }
    below += count;
  }
  return undefined;
}
