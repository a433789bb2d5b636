/** Heads on their way through the gate, with as much of the content as came with them: one buffer, one send. */
import { GateError } from "../../gate/errors.ts";
import { LOOK_MAX } from "../../gate/engine/look.ts";
import { MOST_OF_FIRST } from "./compress/coded_content.ts";
import { compress } from "./compress/compressible.ts";
import { placeFirst } from "./compress/pass_coded.ts";
import { isWebSocket } from "./connection_options.ts";
import { dateField } from "./date.ts";
import { dropClaims, dropKind } from "./drop_lines.ts";
import { Edits } from "./edits.ts";
import type { Exchange } from "./exchange.ts";
import { KIND } from "./field_kinds.ts";
import { addForwarded, type ForwardedLines, viaLine } from "./forwarded.ts";
import { countForward } from "./max_forwards.ts";
import { MessageHead } from "./message_head.ts";
import { isToken } from "./octets.ts";
import { connectionOption, deliveredBody, upstreamPersists } from "./persistence.ts";
import { nameRequest } from "./request_id.ts";
import type { Incoming } from "./rules.ts";
import { writeRequest, writeResponse } from "./write_head.ts";

/** One of each per thread: they hold during one synchronous call. */
export const REQUEST = new MessageHead(), RESPONSE = new MessageHead();
const EDITS = new Edits();
/** A head with what is added to it, and the content that was read with it. */
export const OUT = new Uint8Array(3 * LOOK_MAX);
/** More of a request's content than this is not copied to leave with its head: what TLS opened has many reads of it. */
const WITH_HEAD = OUT.subarray(0, LOOK_MAX + 32 * 1024);

const SCHEMES = ["ntlm", "negotiate"].map((name) => new TextEncoder().encode(name));

/**
 * Writes the request that `REQUEST` and `bytes` have into `OUT`; where it ends there. `exchange.used` becomes the octets
 * of `bytes` that it is. Throws GateError where its content cannot be read.
 */
export function forwardRequest(
  bytes: Uint8Array,
  request: Incoming,
  lines: ForwardedLines,
): number {
  const { exchange, conn } = request, { client, host, minor, proxied } = exchange;
  EDITS.begin(REQUEST, bytes, true);
  dropClaims(REQUEST, client !== undefined && !proxied);
  dropKind(REQUEST, KIND.proxyAuthorization);
  countForward(REQUEST, bytes, EDITS);
  if (proxied) EDITS.add(viaLine(minor)); // who asks is nobody's business
  else {
    if (client === undefined) EDITS.add(lines.of(conn, host, minor));
    else addForwarded(REQUEST, bytes, EDITS, { conn, host, minor, client });
    exchange.requestId = nameRequest(REQUEST, bytes, EDITS);
  }
  for (const edit of exchange.rules.editRequest) edit(EDITS, request);
  const end = room(writeRequest(REQUEST, bytes, EDITS, OUT, 0));
  const out = end < WITH_HEAD.length ? WITH_HEAD : OUT;
  const whole = exchange.up.place(bytes, REQUEST.used, out, end, "client");
  exchange.used = REQUEST.used + exchange.up.used;
  return whole;
}

/** The same of an interim response, which has no content. */
export function forwardInterim(bytes: Uint8Array): number {
  EDITS.begin(RESPONSE, bytes, false);
  return room(writeResponse(RESPONSE, bytes, EDITS, OUT, 0));
}

/** The same of a final response; `stays`: the client's connection may, as far as the request goes. */
export function forwardResponse(bytes: Uint8Array, exchange: Exchange, stays: boolean): number {
  exchange.status = RESPONSE.status;
  exchange.upstreamStays = upstreamPersists(RESPONSE);
  EDITS.begin(RESPONSE, bytes, true);
  dropKind(RESPONSE, KIND.proxyAuthenticate);
  if (RESPONSE.find(KIND.date) < 0) EDITS.add(dateField());
  EDITS.body = deliveredBody(RESPONSE, exchange.minor);
  for (const edit of exchange.rules.editResponse) edit(EDITS, RESPONSE, bytes);
  if (exchange.agreed !== undefined) compress(EDITS, RESPONSE, bytes, exchange);
  const { body } = EDITS, { coded } = exchange;
  exchange.tunnel = body === "tunnel";
  exchange.endsTogether = exchange.tunnel && isWebSocket(RESPONSE, bytes);
  exchange.stays = stays && body !== "close" && body !== "tunnel";
  if (!exchange.tunnel) EDITS.options |= connectionOption(exchange.stays, exchange.minor);
  exchange.down.begin(
    exchange.tunnel ? "none" : RESPONSE.body,
    RESPONSE.length,
    body === "chunked" && !coded,
    Infinity,
    exchange.rules.goneOfResponse,
  );
  const end = room(writeResponse(RESPONSE, bytes, EDITS, OUT, 0));
  if (coded) {
    return end + MOST_OF_FIRST > OUT.length ? end : placeFirst(coded, bytes, RESPONSE.used, OUT, end);
  }
  return exchange.down.place(bytes, RESPONSE.used, OUT, end, "upstream");
}

/** Whether a head speaks of authentication that holds for the connection, and not for the message (RFC 4559 6). */
export function bindsConnection(head: MessageHead, bytes: Uint8Array, kind: number): boolean {
  for (let line = head.find(kind); line >= 0; line = head.find(kind, line + 1)) {
    const start = head.valueStart(line), end = head.valueEnd(line);
    for (const scheme of SCHEMES) {
      if (end - start >= scheme.length && isToken(bytes, start, start + scheme.length, scheme)) return true;
    }
  }
  return false;
}

function room(end: number): number {
  if (end >= 0) return end;
  throw new GateError("internal", "gate", "Cannot pass a head on: it is longer than there is room");
}
