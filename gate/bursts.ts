/** Limits that bite, as the log tells them: not a line for each time, but for each burst. Pure; its caller has the clock. */
import type { Message } from "./log.ts";

/** A burst is over when its limit was not hit for so long; while it goes on it is told again so often. ms. */
const QUIET = 10_000, REMIND = 60_000;

interface Burst {
  readonly since: number;
  last: number;
  times: number;
  /** When it was told, and how many times were told then. */
  toldAt: number;
  told: number;
}

/** Times are ms since the epoch by a clock that never goes back: `performance.timeOrigin + performance.now()`. */
export class Bursts {
  readonly #bursts = new Map<string, Burst>();

  /** Limits that were hit so often since the last report of an engine; what is to be logged of it. */
  hit(hits: readonly (readonly [limit: string, times: number])[], now: number): Message[] {
    return hits.flatMap(([limit, times]) => {
      const burst = this.#bursts.get(limit);
      if (burst === undefined || isOver(burst, now)) {
        return [...this.#end(limit, now), this.#begin(limit, times, now)];
      }
      burst.last = now;
      burst.times += times;
      return [];
    });
  }

  /** What is to be logged because time went by: call it once a second or so. */
  tick(now: number): Message[] {
    return [...this.#bursts].flatMap(([limit, burst]) => {
      if (isOver(burst, now)) return this.#end(limit, now);
      if (now - burst.toldAt < REMIND) return [];
      burst.toldAt = now;
      return this.#tell(limit, burst, "and still is");
    });
  }

  #begin(limit: string, times: number, now: number): Message {
    this.#bursts.set(limit, { since: now, last: now, times, toldAt: now, told: times });
    return message(limit, times, now, `limit ${limit} was hit ${counted(times)}`);
  }

  /** Nothing is told where the last line told it all. */
  #end(limit: string, now: number): Message[] {
    const burst = this.#bursts.get(limit);
    this.#bursts.delete(limit);
    if (burst === undefined || burst.times === burst.told) return [];
    return this.#tell(limit, burst, `the last time ${Math.round((now - burst.last) / 1000)} s ago`);
  }

  #tell(limit: string, burst: Burst, state: string): Message[] {
    const { times, since } = burst;
    burst.told = times;
    const text = `limit ${limit} was hit ${counted(times)} since ${new Date(since).toISOString()}, ${state}`;
    return [message(limit, times, since, text)];
  }
}

const isOver = (burst: Burst, now: number): boolean => now - burst.last >= QUIET;

const counted = (times: number): string => times === 1 ? "once" : `${times} times`;

const message = (limit: string, times: number, since: number, text: string): Message => ({
  level: "warn",
  event: "limit",
  text,
  fields: { limit, times, since: new Date(since).toISOString() },
});
