/** When an authority is asked: again before a certificate ends, and again after a failure. Times in ms. */
import type { CertificateFacts } from "../config/certificate.ts";

const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** Of the lifetime: a third is left for failures. */
const RENEWED_AT = 2 / 3;
/** Of the lifetime: certificates that were issued together are not renewed together. */
const SPREAD = 1 / 20;

/** Names that nodes chose are ordered so many at once, then one at a time: authorities count what a domain gets. */
const AT_ONCE = 20, EACH = 10 * MINUTE;

/** The pause after the first failure; each one doubles it. Some authorities allow five in an hour. */
const FIRST_PAUSE = 5 * MINUTE;
/** The longest that an authority is believed when it asks for one. */
const LONGEST_ASKED = 7 * DAY;

/** Since the epoch: the same for a certificate whenever it is asked. */
export function renewalTime(
  { notBefore, notAfter, fingerprint }: Pick<CertificateFacts, "notBefore" | "notAfter" | "fingerprint">,
): number {
  const early = parseInt(fingerprint.slice(0, 8), 16) / 2 ** 32 * SPREAD;
  return Math.round(notBefore + (notAfter - notBefore) * (RENEWED_AT - early));
}

/** After so many failures in a row: from 5 minutes to a day, and not before the authority wants to be asked again. */
export function pauseAfter(failures: number, asked = 0, chance = Math.random()): number {
  const pause = Math.min(DAY, FIRST_PAUSE * 2 ** (failures - 1));
  return Math.max(Math.round(pause * (3 / 4 + chance / 4)), Math.min(asked, LONGEST_ASKED));
}

/** When the next order may begin of those that nodes bring about. */
export class Pace {
  /** The time at which one more than AT_ONCE would be as if none had been. */
  #spent = 0;

  next(now: number): number {
    this.#spent = Math.max(this.#spent, now - AT_ONCE * EACH) + EACH;
    return Math.max(now, this.#spent);
  }
}
