import type { Verdict } from "../../gate/streams.ts";

/** Whether `head` begins with `prefix`. */
export function sniffPrefix(head: Uint8Array, prefix: Uint8Array): Verdict {
  const length = Math.min(head.length, prefix.length);
  for (let at = 0; at < length; at++) {
    if (head[at] !== prefix[at]) return false;
  }
  return length === prefix.length || prefix.length;
}
