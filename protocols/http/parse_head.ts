/**
 * Reads the head of a message strictly (RFC 9112): what two parsers could read in two ways is refused, for that is
 * how requests are smuggled. No strings are made and nothing is kept but offsets.
 */
import type { Fault } from "./faults.ts";
import { FAULTS } from "./faults.ts";
import { readFieldLines } from "./field_lines.ts";
import { frameRequest, frameResponse } from "./framing.ts";
import { type MessageHead, MORE } from "./message_head.ts";
import { hasLineFeed } from "./octets.ts";
import { readTarget } from "./request_target.ts";
import { methodOf, readRequestLine, readStatusLine } from "./start_line.ts";

/**
 * Reads the request head that `bytes` has from `from` to `to` into `head`: the head, why it is refused, or the octets
 * needed in all, as `Stream.next` wants it. `limit`: octets of a whole head. `looked`: how many octets were there when
 * it last asked for more; without another line end among the new ones it asks again at once.
 */
export function parseRequest(
  head: MessageHead,
  bytes: Uint8Array,
  from: number,
  to: number,
  limit: number,
  looked = 0,
): MessageHead | Fault | number {
  if (isEarly(bytes, from, to, limit, looked)) return to - from + 1;
  const last = Math.min(to, from + limit);
  head.reset(from);
  head.targetStart = 0;
  let at = readRequestLine(head, bytes, from, last);
  const inLine = at === MORE && head.targetStart > 0;
  if (at > 0) at = readFieldLines(head, bytes, at, last);
  if (at === MORE) return wantMore(from, to, limit, inLine ? FAULTS.longTarget : FAULTS.longHead);
  if (at < 0) return head.refusal!;
  head.method = methodOf(bytes, head.start, head.methodEnd);
  return frameRequest(head, bytes) ?? readTarget(head, bytes) ?? ended(head, from, at);
}

/** The same of a response to a request with these ASKED bits. Who is refused is the upstream. */
export function parseResponse(
  head: MessageHead,
  bytes: Uint8Array,
  from: number,
  to: number,
  limit: number,
  asked: number,
  looked = 0,
): MessageHead | Fault | number {
  if (isEarly(bytes, from, to, limit, looked)) return to - from + 1;
  const last = Math.min(to, from + limit);
  head.reset(from);
  let at = readStatusLine(head, bytes, from, last);
  if (at > 0) at = readFieldLines(head, bytes, at, last);
  if (at === MORE) return wantMore(from, to, limit, FAULTS.longHead);
  if (at < 0) return head.refusal!;
  return frameResponse(head, bytes, asked) ?? ended(head, from, at);
}

function isEarly(bytes: Uint8Array, from: number, to: number, limit: number, looked: number): boolean {
  return looked > 0 && to - from < limit && !hasLineFeed(bytes, from + looked, to);
}

function wantMore(from: number, to: number, limit: number, tooLong: Fault): Fault | number {
  return to - from >= limit ? tooLong : to - from + 1;
}

function ended(head: MessageHead, from: number, end: number): MessageHead {
  head.end = end;
  head.used = end - from;
  return head;
}
