/** Where a message's content ends (RFC 9112 6), and the fields that decide it. What could be read in two ways is refused. */
import { elementEnd, elementStart, namesH2c, namesTrailers, readOptions } from "./connection_options.ts";
import { type Fault, FAULTS, MOST_CONNECTION } from "./faults.ts";
import { KIND } from "./field_kinds.ts";
import { type MessageHead, OPTION } from "./message_head.ts";
import { COMMA, HEX, isToken, octets, trimmedEnd } from "./octets.ts";

const CHUNKED = octets("chunked");
const CONTINUE = octets("100-continue");
/** Every number of so many digits is exact. */
const MOST_DIGITS = 15;

/** What a request asked that its response's framing depends on, as bits. */
export const ASKED = { head: 1, connect: 2, upgrade: 4 } as const;

/** What this request asks for; a gate that does not pass the upgrade on leaves that bit out. */
export function askedBy(head: MessageHead): number {
  if (head.method === "HEAD") return ASKED.head;
  if (head.method === "CONNECT") return ASKED.connect;
  return head.upgrade ? ASKED.upgrade : 0;
}

/** Fills in `body` and what belongs to the connection; undefined: all is well. */
export function frameRequest(head: MessageHead, bytes: Uint8Array): Fault | undefined {
  const fault = readFraming(head, bytes);
  if (fault) return fault;
  if (head.method === "CONNECT") {
    if (head.chunked || head.length > 0) return FAULTS.connectBody;
    head.body = "tunnel";
  } else if (head.chunked) head.body = "chunked";
  else head.body = head.length > 0 ? "length" : "none";
  return undefined;
}

/** The same of a response to a request with these ASKED bits. */
export function frameResponse(head: MessageHead, bytes: Uint8Array, asked: number): Fault | undefined {
  const fault = readFraming(head, bytes), { status } = head;
  if ((asked & ASKED.connect) !== 0 && status >= 200 && status < 300) {
    head.body = "tunnel"; // whatever its fields say of content (RFC 9110 9.3.6)
    return undefined;
  }
  if (fault) return fault;
  if (status === 101) {
    if ((asked & ASKED.upgrade) === 0 || !head.upgrade) return FAULTS.switched;
    head.body = "tunnel";
  } else if (status < 200 || status === 204 || status === 304 || (asked & ASKED.head) !== 0) {
    head.body = "none";
  } else if (head.chunked) head.body = "chunked";
  else if (head.length < 0) head.body = "close";
  else head.body = head.length > 0 ? "length" : "none";
  return undefined;
}

/** One look at every field that counts here. */
function readFraming(head: MessageHead, bytes: Uint8Array): Fault | undefined {
  const { kinds, count } = head;
  let connection = 0, protocols = 0;
  for (let line = 0; line < count; line++) {
    const kind = kinds[line];
    if (kind === 0) continue;
    const start = head.valueStart(line), end = head.valueEnd(line);
    let fault: Fault | undefined;
    if (kind === KIND.connection) {
      connection += end - start;
      if (connection > MOST_CONNECTION) return FAULTS.longConnection;
      readOptions(head, bytes, start, end);
    } else if (kind === KIND.contentLength) fault = readLength(head, bytes, start, end);
    else if (kind === KIND.transferEncoding) fault = readCoding(head, bytes, start, end);
    else if (kind === KIND.te) head.trailers ||= namesTrailers(bytes, start, end);
    else if (kind === KIND.upgrade && start < end && !namesH2c(bytes, start, end)) protocols++;
    else if (kind === KIND.expect) head.expectContinue ||= isToken(bytes, start, end, CONTINUE);
    if (fault) return fault;
  }
  if (head.chunked && head.length >= 0) return FAULTS.lengthAndCoding;
  if (head.chunked && head.minor === 0) return FAULTS.codingOfOldVersion;
  if (head.minor === 0) head.expectContinue = false;
  head.upgrade = protocols > 0 && head.minor === 1 && (head.options & OPTION.upgrade) !== 0;
  return undefined;
}

/** Digits, once. RFC 9112 would let the same number come twice; whoever sends that has been confused before. */
function readLength(head: MessageHead, bytes: Uint8Array, start: number, end: number): Fault | undefined {
  if (head.length >= 0) return FAULTS.manyLengths;
  if (end === start || end - start > MOST_DIGITS) return FAULTS.length;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = HEX[bytes[at]];
    if (digit > 9) return FAULTS.length;
    length = length * 10 + digit;
  }
  head.length = length;
  return undefined;
}

/** `chunked`, alone, once. Another coding in front of it is nothing we do; all else leaves the end in doubt. */
function readCoding(head: MessageHead, bytes: Uint8Array, start: number, end: number): Fault | undefined {
  if (head.chunked) return FAULTS.notChunkedLast;
  if (isToken(bytes, start, end, CHUNKED)) {
    head.chunked = true;
    return undefined;
  }
  return onlyLastIsChunked(bytes, start, end) ? FAULTS.coding : FAULTS.notChunkedLast;
}

function onlyLastIsChunked(bytes: Uint8Array, start: number, end: number): boolean {
  let last = false;
  for (let at = elementStart(bytes, start, end); at < end;) {
    if (last) return false;
    const next = elementEnd(bytes, at, end);
    last = isToken(bytes, at, trimmedEnd(bytes, at, next), CHUNKED);
    at = elementStart(bytes, next, end);
  }
  return last && bytes[start] !== COMMA && bytes[end - 1] !== COMMA;
}
