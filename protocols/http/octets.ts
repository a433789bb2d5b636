/** Classes of octets as tables, and runs of octets compared and copied without strings. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;

const UNDERSCORE = 0x5f;
const HYPHEN = 0x2d;
/** RFC 9110 5.6.2, in lower case. */
const TOKEN_SIGNS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
/** Below this many octets a loop is faster than a view for `set`. */
const SHORT = 48;

/** The octet of a token in lower case; 0: no token has it. */
export const TOKEN = new Uint8Array(256);
/** TOKEN with `_` as `-`: applications behind CGI's conventions cannot tell these apart. */
export const FOLDED = new Uint8Array(256);
/** 1 for octets of a field's value (RFC 9110 5.5): HTAB, SP, visible ones and those above ASCII. */
export const VALUE = new Uint8Array(256);
/** 1 for octets of a request target: the visible ones but `#`, for more than RFC 3986 allows is in use. */
export const TARGET = new Uint8Array(256);
/** The digit's value; 255: no hexadecimal digit. */
export const HEX = new Uint8Array(256).fill(255);

for (let octet = 0; octet < 256; octet++) {
  const sign = String.fromCharCode(octet).toLowerCase();
  const lower = octet < 0x80 && TOKEN_SIGNS.includes(sign) ? sign.charCodeAt(0) : 0;
  TOKEN[octet] = lower;
  FOLDED[octet] = lower === UNDERSCORE ? HYPHEN : lower;
  if (octet === HTAB || octet >= SP && octet !== 0x7f) VALUE[octet] = 1;
  if (octet > SP && octet < 0x7f && sign !== "#") TARGET[octet] = 1;
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

/**
 * Where the octets of a field's value end, at `at` or behind it. Most of a head are values: four at a time take a third
 * less.
 */
export function valueEnd(bytes: Uint8Array, at: number, to: number): number {
  let end = at;
  for (const last = to - 4; end <= last; end += 4) {
    if ((VALUE[bytes[end]] & VALUE[bytes[end + 1]] & VALUE[bytes[end + 2]] & VALUE[bytes[end + 3]]) === 0) {
      break;
    }
  }
  while (end < to && VALUE[bytes[end]] !== 0) end++;
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
  if (size < SHORT) { for (let i = 0; i < size; i++) out[at + i] = bytes[start + i]; }
  else out.set(bytes.subarray(start, end), at);
  return at + size;
}
