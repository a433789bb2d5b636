/** Writes the head that goes on: runs of lines that stay are copied whole, and the version is always our own. */
import type { Edits } from "./edits.ts";
import { KIND } from "./field_kinds.ts";
import { type MessageHead, OPTION } from "./message_head.ts";
import { copyOctets, octets, SLASH, SP } from "./octets.ts";

const ZERO = 0x30;
const CRLF = octets("\r\n");
const SPACE = octets(" ");
const ROOT = octets("/");
const ASTERISK = octets("*");
const VERSION = octets("HTTP/1.1");
const END_OF_LINE = octets(" HTTP/1.1\r\n");
const HOST = octets("Host: ");
const CHUNKED = octets("Transfer-Encoding: chunked\r\n");
const TE_TRAILERS = octets("TE: trailers\r\n");
/** `HTTP/1.1 200` and CRLF: a status line without a reason and its space. */
const SHORTEST_STATUS_LINE = 14;
/** More than all that is written without being in the head or in its edits. */
const OWN_LINES = 256;

/** A Connection line for each set of OPTION bits. */
const CONNECTION = Array.from({ length: OPTION.named }, (_, options) => {
  const names = { close: "close", keepAlive: "keep-alive", upgrade: "upgrade", te: "TE" };
  const said = Object.entries(names).filter(([name]) => options & OPTION[name as keyof typeof names]);
  return octets(said.length > 0 ? `Connection: ${said.map(([, option]) => option).join(", ")}\r\n` : "");
});

/**
 * Writes the request head with its edits to `out` from `at` on, as an origin server wants it: an absolute target
 * becomes the path alone and its authority the Host. Where it ends there; -1: there is not enough room.
 */
export function writeRequest(
  head: MessageHead,
  bytes: Uint8Array,
  edits: Edits,
  out: Uint8Array,
  at: number,
): number {
  if (mostOctets(head, edits) > out.length - at) return -1;
  let end = writeRequestLine(head, bytes, edits, out, at);
  end = writeHost(head, bytes, edits, out, end);
  end = writeKept(head, bytes, edits, out, end);
  if ((edits.options & OPTION.te) !== 0) end = append(TE_TRAILERS, out, end);
  return writeRest(edits, out, end);
}

/** The same of a response head; content that the connection ends makes it say `close`. */
export function writeResponse(
  head: MessageHead,
  bytes: Uint8Array,
  edits: Edits,
  out: Uint8Array,
  at: number,
): number {
  if (mostOctets(head, edits) > out.length - at) return -1;
  if (edits.body === "close") edits.options |= OPTION.close;
  let end = append(VERSION, out, at);
  end = copyOctets(bytes, head.start + VERSION.length, head.nameStart(0) - CRLF.length, out, end);
  if (head.nameStart(0) - head.start === SHORTEST_STATUS_LINE) end = append(SPACE, out, end);
  end = append(CRLF, out, end);
  end = writeKept(head, bytes, edits, out, end);
  return writeRest(edits, out, end);
}

function mostOctets(head: MessageHead, edits: Edits): number {
  let most = head.end - head.start + OWN_LINES + (edits.target?.length ?? 0) + (edits.host?.length ?? 0);
  most += head.authorityEnd - head.authorityStart;
  for (let i = 0; i < edits.count; i++) most += edits.added[i].length;
  return most;
}

function writeRequestLine(
  head: MessageHead,
  bytes: Uint8Array,
  edits: Edits,
  out: Uint8Array,
  at: number,
): number {
  if (head.minor === 1 && edits.target === undefined && head.form !== "absolute") {
    return copyOctets(bytes, head.start, head.nameStart(0), out, at);
  }
  let end = copyOctets(bytes, head.start, head.targetStart, out, at);
  if (edits.target !== undefined) end = append(edits.target, out, end);
  else end = writePath(head, bytes, out, end);
  return append(END_OF_LINE, out, end);
}

/** The target without its authority: RFC 9112 3.2.1, and 3.2.4 for OPTIONS of a whole server. */
function writePath(head: MessageHead, bytes: Uint8Array, out: Uint8Array, at: number): number {
  const { pathStart, targetEnd } = head;
  if (pathStart === targetEnd) return append(head.method === "OPTIONS" ? ASTERISK : ROOT, out, at);
  const rooted = head.form !== "absolute" || bytes[pathStart] === SLASH;
  return copyOctets(bytes, pathStart, targetEnd, out, rooted ? at : append(ROOT, out, at));
}

/**
 * A Host where the request's own does not hold; an old request may have had none, and names nobody then. Who dropped
 * the line has added another.
 */
function writeHost(
  head: MessageHead,
  bytes: Uint8Array,
  edits: Edits,
  out: Uint8Array,
  at: number,
): number {
  const line = head.find(KIND.host);
  const named = head.form === "absolute" || head.form === "authority";
  if (line >= 0 && edits.host === undefined) {
    if (head.drop[line] === 1 || !named && isPlain(head, bytes, line)) return at;
  }
  if (line >= 0) head.drop[line] = 1;
  let end = append(HOST, out, at);
  if (edits.host !== undefined) end = append(edits.host, out, end);
  else end = copyOctets(bytes, head.authorityStart, head.authorityEnd, out, end);
  return append(CRLF, out, end);
}

/**
 * A Content-Length in its one plain spelling, in place of another one. Servers differ in the whitespace and the zeros
 * they take in front of a number.
 */
function plainLength(head: MessageHead, bytes: Uint8Array): Uint8Array | undefined {
  const line = head.length < 0 ? -1 : head.find(KIND.contentLength);
  if (line < 0 || head.drop[line] === 1) return undefined;
  const value = head.valueStart(line), digits = head.valueEnd(line) - value;
  if (isPlain(head, bytes, line) && (bytes[value] !== ZERO || digits === 1)) return undefined;
  head.drop[line] = 1;
  return octets(`Content-Length: ${head.length}\r\n`);
}

/** Whether the line has one space before its value and nothing behind it. */
function isPlain(head: MessageHead, bytes: Uint8Array, line: number): boolean {
  const colon = head.nameEnd(line);
  return bytes[colon + 1] === SP && head.valueStart(line) === colon + 2 &&
    head.valueEnd(line) + CRLF.length === head.nameStart(line + 1);
}

/** The lines that are not dropped, in their order and as they came. */
function writeKept(
  head: MessageHead,
  bytes: Uint8Array,
  edits: Edits,
  out: Uint8Array,
  at: number,
): number {
  edits.dropUntrueLength(head);
  const { drop, count } = head;
  const length = plainLength(head, bytes);
  let end = at, run = head.nameStart(0);
  for (let line = 0; line < count; line++) {
    if (drop[line] === 0) continue;
    end = copyOctets(bytes, run, head.nameStart(line), out, end);
    run = head.nameStart(line + 1);
  }
  end = copyOctets(bytes, run, head.nameStart(count), out, end);
  return length ? append(length, out, end) : end;
}

/** What this hop says itself, what was added, and the empty line. */
function writeRest(edits: Edits, out: Uint8Array, at: number): number {
  let end = at;
  if (edits.body === "chunked") end = append(CHUNKED, out, end);
  end = append(CONNECTION[edits.options & (OPTION.named - 1)], out, end);
  for (let i = 0; i < edits.count; i++) end = append(edits.added[i], out, end);
  return append(CRLF, out, end);
}

function append(octets: Uint8Array, out: Uint8Array, at: number): number {
  if (octets.length > 0) out.set(octets, at);
  return at + octets.length;
}
