/** Which lines of a head do not go on: what was meant for this hop, and claims nobody here has proven. */
import { dropNamedBy, namesH2c } from "./connection_options.ts";
import { isForwardingClaim, isHopByHop, isIdentityClaim, KIND } from "./field_kinds.ts";
import { type MessageHead, OPTION } from "./message_head.ts";
import { isFolded } from "./octets.ts";

/**
 * Marks what ends at this hop (RFC 9110 7.6.1) and clears every other mark: Connection and the fields it names,
 * Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, HTTP2-Settings, and Upgrade, unless `upgrade` lets it pass and
 * Connection names it; h2c never passes. Proxy-Authorization and Proxy-Authenticate stay: who may read them is the caller's to know.
 */
export function dropHopByHop(head: MessageHead, bytes: Uint8Array, upgrade: boolean): void {
  const { kinds, drop, count } = head;
  const passing = upgrade && head.upgrade;
  for (let line = 0; line < count; line++) {
    const kind = kinds[line];
    const passes = passing && kind === KIND.upgrade &&
      !namesH2c(bytes, head.valueStart(line), head.valueEnd(line));
    drop[line] = isHopByHop(kind) && !passes ? 1 : 0;
  }
  if ((head.options & OPTION.named) !== 0) dropNamed(head, bytes);
  if (isLengthless(head)) dropKind(head, KIND.contentLength);
}

function dropNamed(head: MessageHead, bytes: Uint8Array): void {
  for (let line = head.find(KIND.connection); line >= 0; line = head.find(KIND.connection, line + 1)) {
    dropNamedBy(head, bytes, line, mayBeNamed);
  }
}

/**
 * What no option takes away: without its Host or its length the message would be another one, and backends are told
 * who asks, from where, and under which name, whatever a client says of that.
 */
const TOLD: ReadonlySet<number> = new Set([
  ...[KIND.host, KIND.contentLength, KIND.authorization, KIND.via],
  ...[KIND.requestId, KIND.traceparent, KIND.tracestate],
]);

/** The fields of this hop, and claims, are judged apart; an Upgrade that goes on is always named. */
const mayBeNamed = (kind: number): boolean =>
  !isHopByHop(kind) && !isForwardingClaim(kind) && !TOLD.has(kind);

/** Responses that must not have a Content-Length (RFC 9110 8.6), and have it all the same. */
function isLengthless({ status, body, length }: MessageHead): boolean {
  return length >= 0 && status > 0 && (status < 200 || status === 204 || body === "tunnel");
}

/** Marks claims of an identity, and, unless a trusted proxy sent them, claims of where the request came from. */
export function dropClaims(head: MessageHead, trusted: boolean): void {
  const { kinds, drop, count } = head;
  for (let line = 0; line < count; line++) {
    if (isIdentityClaim(kinds[line]) || !trusted && isForwardingClaim(kinds[line])) drop[line] = 1;
  }
}

/** Marks every line of this kind. */
export function dropKind(head: MessageHead, kind: number): void {
  for (let line = head.find(kind); line >= 0; line = head.find(kind, line + 1)) head.drop[line] = 1;
}

/** Marks every line of this name and of those that applications cannot tell from it; as isFolded has it. */
export function dropFolded(head: MessageHead, bytes: Uint8Array, folded: Uint8Array): void {
  const { drop, count } = head;
  for (let line = 0; line < count; line++) {
    if (isFolded(bytes, head.nameStart(line), head.nameEnd(line), folded)) drop[line] = 1;
  }
}

/** Marks every line of this name, in lower case. */
export function dropName(head: MessageHead, bytes: Uint8Array, name: Uint8Array): void {
  for (let line = head.findName(bytes, name); line >= 0; line = head.findName(bytes, name, line + 1)) {
    head.drop[line] = 1;
  }
}
