/** Requests as they were sent, while they may have to be sent again: in memory that is used again and again. */

/** Longer ones are rare, and get memory of their own. */
const LONGEST = 2048;
/** As many wait for an answer at one time. */
const MOST = 1024;

export interface KeptRequest {
  readonly bytes: Uint8Array;
  /** So many of them, the first ones. */
  size: number;
}

const free: KeptRequest[] = [];

/** A copy of the first `size` bytes, to be given back by forgetRequest, or not at all. */
export function keepRequest(bytes: Uint8Array, size: number): KeptRequest {
  if (size > LONGEST) return { bytes: bytes.slice(0, size), size };
  const kept = free.pop() ?? { bytes: new Uint8Array(LONGEST), size };
  kept.bytes.set(bytes.subarray(0, size));
  kept.size = size;
  return kept;
}

/** Nobody reads it any more. */
export function forgetRequest(kept: KeptRequest): void {
  if (kept.bytes.length === LONGEST && free.length < MOST) free.push(kept);
}
