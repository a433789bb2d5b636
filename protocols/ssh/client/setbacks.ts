/**
 * Gates that did not let us in, or that we did not believe: who asks again soon after gets the same failure, and nobody
 * there is bothered by every stream. Pure; its caller has the clock.
 */
import type { GateError } from "../../../gate/errors.ts";

/** ms until the first try after a failure, and at most, when it fails again and again. */
interface Pace {
  readonly first: number;
  readonly most: number;
}

/** Somebody has to change something; whatever else went wrong may be right again soon. */
const REFUSED: Pace = { first: 5000, most: 30_000 }, BROKEN: Pace = { first: 200, most: 5000 };
/** So much of a pause is left to chance, or all gates that lost one would come back to it at once. */
const JITTER = 0.5;
/** Gates that are remembered; and how long after its pause one is, as a part of that: a failure then is another one. */
const MOST = 1024, REMEMBERED = 2;

interface Setback {
  readonly reason: GateError;
  readonly pause: number;
  readonly until: number;
}

export class Setbacks {
  readonly #random: () => number;
  /** Those that failed last at the end. */
  readonly #known = new Map<string, Setback>();

  /** `random`: from 0 to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Why this one is not tried now; undefined: it may be. */
  why(key: string, now: number): GateError | undefined {
    const known = this.#known.get(key);
    return known && now < known.until ? known.reason : undefined;
  }

  failed(key: string, reason: GateError, now: number): void {
    const before = this.#known.get(key), { first, most } = isRefusal(reason) ? REFUSED : BROKEN;
    const isAgain = before && now < before.until + REMEMBERED * before.pause;
    const pause = isAgain ? Math.min(most, Math.max(first, 2 * before.pause)) : first;
    this.#known.delete(key);
    this.#known.set(key, { reason, pause, until: now + pause * (1 - JITTER * this.#random()) });
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
  }

  succeeded(key: string): void {
    this.#known.delete(key);
  }
}

/** The login, or whom we met. */
const isRefusal = ({ failure }: GateError): boolean =>
  failure === "unauthenticated" || failure === "refused" || failure === "denied";
