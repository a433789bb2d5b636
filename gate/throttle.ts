/** Sources that guess passwords wait. One line of the log tells of each: fail2ban can read it. */
import type { Message } from "./log.ts";
import { sourceNetwork } from "./networks.ts";

/** A source that has to wait from now on. */
export interface Throttled {
  /** The address that gave the last wrong password. */
  readonly source: string;
  readonly listener: string;
  readonly protocol?: string;
  /** What it guesses; absent: passwords. */
  readonly what?: keyof typeof PACES;
  /** Wrong ones since this was told of the source before. */
  readonly failures: number;
}

/** So many wrong ones at once, then one every so many ms. Nobody guesses a token or a key: wrong ones cost time alone. */
const PACES = {
  passwords: { most: 10, pause: 3000 },
  tokens: { most: 100, pause: 100 },
  logins: { most: 50, pause: 1000 },
} as const;
const MOST_SOURCES = 10_000, TELL_AGAIN = 60_000;

interface Bucket {
  /** Leaks from `at` on. */
  failures: number;
  at: number;
  /** Attempts under way: they may turn out wrong. */
  pending: number;
  untold: number;
  toldAt: number;
}

/**
 * A leaky bucket of wrong passwords (or tokens) per source: 10 at once, then one every 3 s. Clients on unix sockets have
 * no source to count by. `now` in ms, monotonic.
 */
export class Throttle {
  /** By network, the least recently counted one first. */
  readonly #buckets = new Map<string, Bucket>();

  readonly #most: number;
  readonly #pause: number;

  constructor(readonly now: () => number, what: keyof typeof PACES = "passwords") {
    this.#most = PACES[what].most;
    this.#pause = PACES[what].pause;
  }

  admits(source: string): boolean {
    const bucket = this.#buckets.get(sourceNetwork(source));
    return !bucket || this.#leak(bucket).failures + bucket.pending <= this.#most - 1;
  }

  /** Counts as a failure until it is disposed: what runs may turn out wrong. */
  attempt(source: string): Disposable {
    const key = sourceNetwork(source), bucket = this.#bucket(key);
    bucket.pending++;
    return {
      [Symbol.dispose]: () => {
        bucket.pending--;
        const { failures, pending, toldAt } = this.#leak(bucket);
        const forgettable = failures + pending === 0 && this.now() - toldAt >= TELL_AGAIN;
        if (forgettable && this.#buckets.get(key) === bucket) this.#buckets.delete(key);
      },
    };
  }

  /** Counts a wrong password. How many there were, where the source has to wait now and that is to be told. */
  fail(source: string): number | undefined {
    const bucket = this.#bucket(sourceNetwork(source));
    bucket.failures++;
    const untold = ++bucket.untold;
    if (bucket.failures <= this.#most - 1 || bucket.at - bucket.toldAt < TELL_AGAIN) return undefined;
    bucket.untold = 0;
    bucket.toldAt = bucket.at;
    return untold;
  }

  #bucket(key: string): Bucket {
    const bucket = this.#buckets.get(key) ??
      { failures: 0, at: this.now(), pending: 0, untold: 0, toldAt: -Infinity };
    if (key === "unix") return bucket; // of nobody
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MOST_SOURCES) this.#buckets.delete(this.#buckets.keys().next().value!);
    return this.#leak(bucket);
  }

  #leak(bucket: Bucket): Bucket {
    const now = this.now();
    bucket.failures = Math.max(0, bucket.failures - (now - bucket.at) / this.#pause);
    bucket.at = now;
    return bucket;
  }
}

/** The line of a source that has to wait. */
export function throttledMessage(
  { source, listener, protocol, what = "passwords", failures }: Throttled,
): Message {
  const on = `listener ${listener}${protocol === undefined ? "" : ` (${protocol})`}`;
  const waits = `it may try one in ${PACES[what].pause / 1000} s`;
  return {
    level: "warn",
    event: "auth-throttled",
    text: `${source} gave ${failures} wrong ${what} on ${on}: ${waits}`,
    fields: { source, listener, protocol, failures },
  };
}
