/** Classes of octets as tables, and runs of octets compared and copied without strings. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;

const DEL = 0x7f;
const UNDERSCORE = 0x5f;
const HYPHEN = 0x2d;
const TOKEN_SIGNS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
/** Below this many octets a loop is faster than a view for `set`. */
const SHORT = 48;

/** What an octet may stand in, as bits. */
const CLASS = new Uint8Array(256);
/** RFC 9110 5.6.2. */
export const IN_TOKEN = 1;
/** RFC 9110 5.5: HTAB, SP, what is visible, and what is above ASCII. */
export const IN_VALUE = 2;
/** A request target's: what is visible but `#`, for more than RFC 3986 allows is in use. */
export const IN_TARGET = 4;

/** The octet of a token in lower case; 0: no token has it. */
export const TOKEN = new Uint8Array(256);
/** TOKEN with `_` as `-`: applications behind CGI's conventions cannot tell these apart. */
export const FOLDED = new Uint8Array(256);
/** The digit's value; 255: no hexadecimal digit. */
export const HEX = new Uint8Array(256).fill(255);

for (let octet = 0; octet < 256; octet++) {
  const sign = String.fromCharCode(octet).toLowerCase();
  const lower = octet < 0x80 && TOKEN_SIGNS.includes(sign) ? sign.charCodeAt(0) : 0;
  TOKEN[octet] = lower;
  FOLDED[octet] = lower === UNDERSCORE ? HYPHEN : lower;
  CLASS[octet] = (lower > 0 ? IN_TOKEN : 0) |
    (octet === HTAB || octet >= SP && octet !== DEL ? IN_VALUE : 0) |
    (octet > SP && octet < DEL && sign !== "#" ? IN_TARGET : 0);
  if (/^[0-9a-f]$/.test(sign)) HEX[octet] = parseInt(sign, 16);
}

const encoder = new TextEncoder();

/** ASCII text as octets, for tables made once. */
export function octets(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Whether the octets from `start` to `end` are the token `lower`, in any case. */
export function isToken(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  if (end - start !== lower.length) return false;
  for (let at = 0; at < lower.length; at++) {
    if (TOKEN[bytes[start + at]] !== lower[at]) return false;
  }
  return true;
}

/** The same of a name, `_` standing for `-` in it: `folded` is in lower case and has no `_`. */
export function isFolded(bytes: Uint8Array, start: number, end: number, folded: Uint8Array): boolean {
  if (end - start !== folded.length) return false;
  for (let at = 0; at < folded.length; at++) {
    if (FOLDED[bytes[start + at]] !== folded[at]) return false;
  }
  return true;
}

/** Whether the octets from `start` on are exactly `expected`. The caller knows that so many are there. */
export function startsWith(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let at = 0; at < expected.length; at++) {
    if (bytes[start + at] !== expected[at]) return false;
  }
  return true;
}

/** Where the optional whitespace in front of `end` begins (RFC 9110 5.6.3). */
export function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;
  return at;
}

/** Whether the octet is of this class. */
export function isIn(octet: number, where: number): boolean {
  return (CLASS[octet] & where) !== 0;
}

/** Where the octets of this class end, at `at` or behind it. Looking at four at a time takes half as long. */
export function endOf(where: number, bytes: Uint8Array, at: number, to: number): number {
  let end = at;
  for (const last = to - 4; end <= last; end += 4) {
    const all = CLASS[bytes[end]] & CLASS[bytes[end + 1]] & CLASS[bytes[end + 2]] & CLASS[bytes[end + 3]];
    if ((all & where) === 0) break;
  }
  while (end < to && (CLASS[bytes[end]] & where) !== 0) end++;
  return end;
}

/** Whether there is an LF from `start` to `end`. */
export function hasLineFeed(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] === LF) return true;
  }
  return false;
}

/** Copies the octets from `start` to `end` to `out` at `at`; where they end there. */
export function copyOctets(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  const size = end - start;
  if (size >= SHORT) out.set(bytes.subarray(start, end), at);
  else for (let i = 0; i < size; i++) out[at + i] = bytes[start + i];
  return at + size;
}
