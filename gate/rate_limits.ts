/**
 * How often a source may come by a route. Counted in memory that all engines share: bounded whatever comes, and never
 * too low.
 *
 * For each source and route there is one word: when its allowance will be whole again (GCRA's theoretical arrival time),
 * and a mark of who it is. One compareExchange changes it, so engines need no lock. In a bucket whose words are all in
 * use the newcomer takes the one with the least time over, and that time with it (Space-Saving): a flood of sources makes
 * newcomers wait with the flood, but frees nobody of what was counted.
 */
import { parseIp } from "./address.ts";
import type { RateLimit } from "./requests.ts";
import { sharedTime } from "./engine/shared_clock.ts";
import { matchedBy } from "./route_labels.ts";
import type { RouteRule } from "./snapshot.ts";

const MOST_SOURCES = 1 << 20, WORDS = 8;
/** A word has 48 bits of time, in us since the table's first use: nine years. The other 16 are the mark. */
const TIME_BITS = 48n, TIME_MASK = (1n << TIME_BITS) - 1n;
/** The first word tells when the table was first used, and has the place of a bucket for itself. */
const FIRST = WORDS;

/** Bytes of the memory for so many sources at once; what is not used of it is not there. */
export const ratesSize = (sources = MOST_SOURCES): number => 8 * (FIRST + sources);

export class RateLimits {
  readonly #words: BigUint64Array;
  readonly #buckets: number;
  readonly #seed: number;
  readonly #clock: () => number;
  #began = 0;
  /** Of the source that was hashed last. */
  #bucket = 0;
  #mark = 0n;

  /**
   * `seed` is the same in all engines of a process and unknown outside: sources cannot be made to collide. `clock`: us, the
   * same in all engines.
   */
  constructor(shared: SharedArrayBuffer, seed: number, clock = sharedTime) {
    this.#words = new BigUint64Array(shared);
    this.#buckets = (this.#words.length - FIRST) / WORDS;
    this.#seed = seed;
    this.#clock = clock;
  }

  /**
   * Counts a request of `source` (an IP literal; IPv6 by its /64) in `scope`, unless it comes too early: ms until it may
   * come, 0 where it was counted. `requests` may come at once, then one in `per / requests`.
   */
  take(source: string, scope: number, { requests, per }: RateLimit): number {
    const step = Math.ceil(per * 1000 / requests), most = step * requests;
    this.#hash(source, scope);
    for (;;) {
      const now = this.#now(), place = this.#place(), word = Atomics.load(this.#words, place);
      const whole = Math.min(Math.max(now, Number(word & TIME_MASK)), now + most) + step;
      if (whole > now + most) return (whole - now - most) / 1000;
      const counted = this.#mark << TIME_BITS | BigInt(whole);
      if (Atomics.compareExchange(this.#words, place, word, counted) === word) return 0;
    }
  }

  /** The source's word, or the one of its bucket with the least time. */
  #place(): number {
    const first = FIRST + this.#bucket * WORDS;
    let place = first, least = TIME_MASK;
    for (let at = first; at < first + WORDS; at++) {
      const word = Atomics.load(this.#words, at), time = word & TIME_MASK;
      if (word >> TIME_BITS === this.#mark && word !== 0n) return at;
      if (time < least) [place, least] = [at, time];
    }
    return place;
  }

  /** us since the table's first use. */
  #now(): number {
    const time = this.#clock();
    if (this.#began === 0) {
      const began = Atomics.compareExchange(this.#words, 0, 0n, BigInt(time));
      this.#began = began === 0n ? time : Number(began);
    }
    return Math.max(0, time - this.#began);
  }

  #hash(source: string, scope: number): void {
    let a = Math.imul(this.#seed ^ scope, 0x9e3779b1), b = Math.imul(this.#seed + scope, 0x27d4eb2f);
    // The kernel's text of an IPv4 address is unique: parsing it would cost more than all the counting.
    const v6 = source.includes(":") ? parseIp(source) : undefined;
    const size = v6 ? 8 : source.length;
    for (let i = 0; i < size; i++) {
      const octet = v6 ? v6[i] : source.charCodeAt(i);
      a = mixed(a ^ octet, 0x85ebca6b);
      b = mixed(b + octet, 0xc2b2ae35);
    }
    this.#bucket = (mixed(a ^ b, 0x165667b1) >>> 0) % this.#buckets;
    this.#mark = BigInt(mixed(a + b, 0xd3a2646c) >>> 16);
  }
}

function mixed(hash: number, factor: number): number {
  const product = Math.imul(hash, factor);
  return product ^ product >>> 15;
}

const scopes = new WeakMap<RouteRule, number>();

/**
 * A number for a route by what it matches: the same over reloads, wherever it stands and whatever else of it changes.
 */
export function scopeOf(route: RouteRule): number {
  let scope = scopes.get(route);
  if (scope !== undefined) return scope;
  scope = 0;
  for (const sign of matchedBy(route)) scope = mixed(scope ^ sign.charCodeAt(0), 0x9e3779b1);
  scopes.set(route, scope);
  return scope;
}
