/** When the gate made an answer (RFC 9110 6.6.1). */
import { now } from "../../gate/engine/loop.ts";

let second = NaN, line = "";

/** A whole line of a head, without CRLF: made once in a second. */
export function dateLine(): string {
  const current = Math.floor(now / 1000);
  if (current === second) return line;
  second = current;
  return line = `Date: ${new Date().toUTCString()}`;
}
