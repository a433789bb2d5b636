/** Requests as they were sent, while they may have to be sent again: in memory that is used again and again. */
import { copyOctets } from "./octets.ts";

/** Longer ones are rare, and get memory of their own. */
const LONGEST = 2048;
/** As many wait for an answer at one time. */
const MOST = 1024;

const free: Uint8Array[] = [];

/** A copy, to be given back by forgetRequest, or not at all. */
export function keepRequest(request: Uint8Array): Uint8Array {
  if (request.length > LONGEST) return request.slice();
  const whole = free.pop() ?? new Uint8Array(LONGEST);
  return whole.subarray(0, copyOctets(request, 0, request.length, whole, 0));
}

/** Nobody reads it any more. */
export function forgetRequest(kept: Uint8Array): void {
  if (kept.buffer.byteLength === LONGEST && free.length < MOST) free.push(new Uint8Array(kept.buffer));
}
