/** How the characters of a path are spelled: some never as an escape, some always, and some either way (RFC 3986). */
import { Buffer } from "node:buffer";

/** Visible characters that no path has by RFC 3986 3.3: clients escape most of them, and some of them do not. */
export const UNSAFE = /["<>[\]^`{|}]/;
/** RFC 3986 2.3. */
const UNRESERVED = /[A-Za-z0-9._~-]/;
/**
 * Those that mean nothing in a path but themselves. RFC 3986 tells their escapes from them, and most servers do not: they
 * decode a path before they look at it.
 */
const PLAIN = /[!$&'()*+,:=@]/;
const PERCENT = 0x25;
const DIGITS = Buffer.from("0123456789ABCDEF");

/** 1 at the codes of such characters. */
const tableOf = (pattern: RegExp): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, code) => pattern.test(String.fromCharCode(code)) ? 1 : 0);

const NONE = new Uint8Array(256), DECODED = tableOf(UNRESERVED);
const ENCODED = tableOf(UNSAFE), NEEDLESS = tableOf(PLAIN);

/** Unreserved characters decoded, unsafe ones encoded, and escapes in upper case (RFC 3986 6.2.2). */
export const normalSpelling = (path: string): string => respelled(path, DECODED, ENCODED);

/** Of a path in normal spelling: what some servers make of it before they look at it. */
export const withoutNeedless = (path: string): string => respelled(path, NEEDLESS, NONE);

/** As a path is to be written that others are compared with: what has to be escaped is, and nothing else. */
export const wellWritten = (path: string): string => withoutNeedless(normalSpelling(path));

/** Encodes the ASCII characters that `pattern` has, and changes nothing else. */
export function encoding(pattern: RegExp): (text: string) => string {
  const encoded = tableOf(pattern);
  return (text) => pattern.test(text) ? respelled(text, undefined, encoded) : text;
}

/** Whether it is the escape of a character that is decoded in a normal path. */
export const isUnreserved = (escape: string): boolean => DECODED[parseInt(escape.slice(1), 16)] === 1;

/** Grows with the longest text there was, which a head bounds. */
let scratch = new Uint8Array(1024);

/**
 * Octets, a character each: escapes of `decoded` become what they stand for, and others upper case (where it is absent, they
 * stay as they are); `encoded` become escapes. In one pass, for who sends a path of nothing but escapes must not hold others up.
 */
function respelled(text: string, decoded: Uint8Array | undefined, encoded: Uint8Array): string {
  if (scratch.length < 3 * text.length) scratch = new Uint8Array(3 * text.length);
  let size = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at), meant = decoded && code === PERCENT ? escapedAt(text, at) : -1;
    if (meant >= 0) at += 2;
    if (meant >= 0 && decoded![meant] === 1) scratch[size++] = meant;
    else if (meant >= 0 || encoded[code] === 1) size = escape(meant >= 0 ? meant : code, size);
    else scratch[size++] = code;
  }
  return Buffer.from(scratch.buffer, 0, size).toString("latin1");
}

function escape(code: number, at: number): number {
  scratch[at] = PERCENT;
  scratch[at + 1] = DIGITS[code >> 4];
  scratch[at + 2] = DIGITS[code & 15];
  return at + 3;
}

/** What the escape there stands for; -1: it is none. */
function escapedAt(text: string, at: number): number {
  const high = digit(text.charCodeAt(at + 1)), low = digit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Of NaN, behind the end, there is none either. */
function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
