/** Why something is not opened, in the words of the gate, and what the client hears of that (RFC 4254 5.1). */
import { type Failure, GateError, telling } from "../../../gate/errors.ts";
import type { Opening } from "../channels/opening.ts";
import { CONNECT_FAILED, PROHIBITED, SHORTAGE, UNKNOWN_TYPE } from "../numbers.ts";

/** Nothing of the inside: which rule it was, or which address, is for the log. */
const TOLD: Readonly<Record<Failure, readonly [code: number, words: string]>> = {
  malformed: [CONNECT_FAILED, "it broke its protocol"],
  unsupported: [UNKNOWN_TYPE, "not supported"],
  unauthenticated: [PROHIBITED, "not allowed"],
  denied: [PROHIBITED, "not allowed"],
  "no-route": [CONNECT_FAILED, "nobody knows the name"],
  refused: [CONNECT_FAILED, "connection refused"],
  unreachable: [CONNECT_FAILED, "no way there"],
  timeout: [CONNECT_FAILED, "no answer in time"],
  reset: [CONNECT_FAILED, "connection reset"],
  closed: [CONNECT_FAILED, "connection closed"],
  exhausted: [SHORTAGE, "too much is open"],
  internal: [CONNECT_FAILED, "a fault of the gate"],
};

/** Does nothing where it is open already. */
export function refuse(opening: Opening, reason: GateError): void {
  opening.refuse(TOLD[reason.failure][0], wordsOf(reason));
}

/** What the client hears in words alone. */
export const wordsOf = (reason: GateError): string => reason.told ?? TOLD[reason.failure][1];

/** Of what the client knows itself: it is told. */
export const notPermitted = (what: string, why: string): GateError =>
  telling(why, new GateError("denied", "client", `Cannot forward ${what}: ${why}`));
