/** How many more hops a TRACE or an OPTIONS takes (RFC 9110 7.6.2). */
import type { Edits } from "./edits.ts";
import { KIND } from "./field_kinds.ts";
import type { MessageHead } from "./message_head.ts";
import { octets } from "./octets.ts";
import { RequestRefused } from "./own_answer.ts";

const DIGITS = 9;
const ZERO = 0x30;

/** Before there is an upstream. Throws RequestRefused where it is to end here: this gate has nothing to tell of itself. */
export function requireHop(head: MessageHead, bytes: Uint8Array): void {
  if (hopsOf(head, bytes) !== 0) return;
  throw new RequestRefused(501, [], "unsupported", "client", "Cannot pass a request on: Max-Forwards is 0");
}

/** One less for the next hop. */
export function countForward(head: MessageHead, bytes: Uint8Array, edits: Edits): void {
  const hops = hopsOf(head, bytes);
  if (hops !== undefined) edits.setKind(head, KIND.maxForwards, octets(`Max-Forwards: ${hops - 1}\r\n`));
}

/** undefined: as many as there are; what is no number means nothing. */
function hopsOf(head: MessageHead, bytes: Uint8Array): number | undefined {
  if (head.method !== "TRACE" && head.method !== "OPTIONS") return undefined;
  const line = head.find(KIND.maxForwards);
  return line < 0 ? undefined : numberOf(bytes, head.valueStart(line), head.valueEnd(line));
}

function numberOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end === start || end - start > DIGITS) return undefined;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    number = 10 * number + digit;
  }
  return number;
}
