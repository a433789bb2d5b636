/** Telling HTTP/1 by the beginning of its request line, before any line end. */
import type { Verdict } from "../../gate/streams.ts";

const SP = 0x20;
const SLASH = 0x2f;
const COLON = 0x3a;
/** The longest method in IANA's registry has 17 bytes. */
const LONGEST_METHOD = 32;
const LONGEST_SCHEME = 16;

/**
 * Whether `head` begins with a method, a space, and what begins a request target (RFC 9112 3.2): a path, the
 * asterisk, or a scheme with "://". The authority of CONNECT is another protocol's.
 */
export function sniffRequestLine(head: Uint8Array): Verdict {
  const end = tokenEnd(head, 0, LONGEST_METHOD);
  if (end === head.length && end <= LONGEST_METHOD) return end + 1;
  if (end === 0 || head[end] !== SP) return false;
  return sniffTarget(head, end + 1);
}

function sniffTarget(head: Uint8Array, from: number): Verdict {
  if (head.length === from) return from + 1;
  if (head[from] === SLASH) return true;
  if (head[from] === 0x2a) return head.length === from + 1 ? from + 2 : head[from + 1] === SP;
  const end = tokenEnd(head, from, LONGEST_SCHEME);
  if (end === from || end - from > LONGEST_SCHEME) return false;
  for (let at = 0; at < 3; at++) {
    if (end + at === head.length) return end + 3;
    if (head[end + at] !== (at === 0 ? COLON : SLASH)) return false;
  }
  return true;
}

/**
 * Where the letters, `-` and `_` end, looking at one more than `most`. RFC 9110 would allow more signs in a method;
 * no registered one has them, and digits and dots begin other protocols' lines.
 */
function tokenEnd(head: Uint8Array, from: number, most: number): number {
  let at = from;
  while (at < head.length && at - from <= most && isTokenSign(head[at])) at++;
  return at;
}

function isTokenSign(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a && byte >= 0x41 || byte === 0x2d || byte === 0x5f;
}
