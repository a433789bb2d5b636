/** The first line of a message (RFC 9112 3 and 4). */
import { type Fault, FAULTS, LONGEST_METHOD } from "./faults.ts";
import { type MessageHead, type Method, MORE } from "./message_head.ts";
import { CR, endOf, HEX, IN_TARGET, IN_TOKEN, IN_VALUE, isIn, LF, octets, SP, startsWith } from "./octets.ts";

const DOT = 0x2e;
const ONE = 0x31;
const HTTP = octets("HTTP/");
const HTTP_1_1 = octets("HTTP/1.1\r\n");
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;
const METHOD_NAMES = METHODS.map(octets);

/** Where the line that ends at `at` is over: behind its CRLF. */
export function lineEnd(head: MessageHead, bytes: Uint8Array, at: number, to: number): number {
  if (at === to) return MORE;
  if (bytes[at] === LF) return head.refuse(FAULTS.bareLineFeed);
  if (bytes[at] !== CR) return head.refuse(FAULTS.control);
  if (at + 1 === to) return MORE;
  return bytes[at + 1] === LF ? at + 2 : head.refuse(FAULTS.bareReturn);
}

/** The request line; one empty line before it is skipped (RFC 9112 2.2), for old clients end a body with one. */
export function readRequestLine(head: MessageHead, bytes: Uint8Array, from: number, to: number): number {
  let start = from;
  if (start < to && bytes[start] === CR) {
    start = lineEnd(head, bytes, start, to);
    if (start <= 0) return start;
    head.start = start;
  }
  let at = endOf(IN_TOKEN, bytes, start, to);
  if (at - start > LONGEST_METHOD) return head.refuse(FAULTS.longMethod);
  if (at === to) return MORE;
  if (at === start || bytes[at] !== SP) return head.refuse(FAULTS.noRequestLine);
  head.methodEnd = at;
  head.targetStart = at + 1;
  head.targetEnd = at = endOf(IN_TARGET, bytes, at + 1, to);
  if (at === to) return MORE;
  if (bytes[at] > SP) return head.refuse(FAULTS.target);
  if (at === head.targetStart || bytes[at] !== SP) return head.refuse(FAULTS.noRequestLine);
  return version(head, bytes, at + 1, to);
}

/** The version and the line's end. */
function version(head: MessageHead, bytes: Uint8Array, from: number, to: number): number {
  if (to - from >= HTTP_1_1.length && startsWith(bytes, from, HTTP_1_1)) {
    head.minor = 1;
    return from + HTTP_1_1.length;
  }
  const digits = afterHttp(head, bytes, from, to, FAULTS.noRequestLine);
  if (digits <= 0) return digits;
  const at = digits + 3;
  if (at < to && isIn(bytes[at], IN_VALUE)) return head.refuse(FAULTS.noRequestLine);
  const end = lineEnd(head, bytes, at, to);
  if (end > 0 && !readVersion(head, bytes, digits)) return head.refuse(FAULTS.version);
  return end;
}

/** Where the version's three octets stand, such as `1.1`, when all of them are there. */
function afterHttp(head: MessageHead, bytes: Uint8Array, from: number, to: number, wrong: Fault): number {
  for (let i = 0; i < HTTP.length; i++) {
    if (from + i === to) return MORE;
    if (bytes[from + i] !== HTTP[i]) return head.refuse(wrong);
  }
  const at = from + HTTP.length;
  for (let i = 0; i < 3; i++) {
    if (at + i === to) return MORE;
    if (i === 1 ? bytes[at + i] !== DOT : HEX[bytes[at + i]] > 9) return head.refuse(wrong);
  }
  return at;
}

function readVersion(head: MessageHead, bytes: Uint8Array, at: number): boolean {
  head.minor = HEX[bytes[at + 2]];
  return bytes[at] === ONE && head.minor <= 1;
}

/** The status line. A reason may be missing, and its space too. */
export function readStatusLine(head: MessageHead, bytes: Uint8Array, from: number, to: number): number {
  const digits = afterHttp(head, bytes, from, to, FAULTS.noStatusLine);
  if (digits <= 0) return digits;
  if (!readVersion(head, bytes, digits)) return head.refuse(FAULTS.version);
  let at = digits + 3;
  if (at === to) return MORE;
  if (bytes[at++] !== SP) return head.refuse(FAULTS.noStatusLine);
  let status = 0;
  for (const end = at + 3; at < end; at++) {
    if (at === to) return MORE;
    if (HEX[bytes[at]] > 9) return head.refuse(FAULTS.noStatusLine);
    status = status * 10 + HEX[bytes[at]];
  }
  if (status < 100 || status > 599) return head.refuse(FAULTS.noStatusLine);
  if (at < to && bytes[at] !== SP && isIn(bytes[at], IN_VALUE)) return head.refuse(FAULTS.noStatusLine);
  head.status = status;
  return lineEnd(head, bytes, endOf(IN_VALUE, bytes, at, to), to);
}

/** Which method the request line has. */
export function methodOf(bytes: Uint8Array, start: number, end: number): Method {
  for (let i = 0; i < METHODS.length; i++) {
    const name = METHOD_NAMES[i];
    if (name.length === end - start && startsWith(bytes, start, name)) return METHODS[i];
  }
  return "other";
}
