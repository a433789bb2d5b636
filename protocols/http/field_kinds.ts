/** The names of fields that a gateway has to know, as small integers in groups that are treated alike. */
import { FOLDED, octets, TOKEN } from "./octets.ts";

/** In the order of the groups below; 0 is every name that is not listed. */
const NAMES = [
  // Meant for the next hop alone (RFC 9110 7.6.1).
  ["connection", "connection"],
  ["keepAlive", "keep-alive"],
  ["proxyConnection", "proxy-connection"],
  ["te", "te"],
  ["transferEncoding", "transfer-encoding"],
  ["upgrade", "upgrade"],
  ["http2Settings", "http2-settings"],
  ["disguisedFraming", ""],
  // Claims of who the client is, believed from nobody.
  ["forwardedClientCert", "x-forwarded-client-cert"],
  ["forwardedUser", "x-forwarded-user"],
  ["forwardedEmail", "x-forwarded-email"],
  ["remoteUser", "remote-user"],
  ["clientCert", "client-cert"],
  ["disguisedClaim", ""],
  // Claims of where the request came from, believed from trusted proxies.
  ["forwarded", "forwarded"],
  ["forwardedFor", "x-forwarded-for"],
  ["forwardedProto", "x-forwarded-proto"],
  ["forwardedHost", "x-forwarded-host"],
  ["forwardedPort", "x-forwarded-port"],
  ["forwardedOther", ""],
  ["realIp", "x-real-ip"],
  // What else the gate reads or writes.
  ["host", "host"],
  ["contentLength", "content-length"],
  ["expect", "expect"],
  ["trailer", "trailer"],
  ["via", "via"],
  ["requestId", "x-request-id"],
  ["traceparent", "traceparent"],
  ["tracestate", "tracestate"],
  ["maxForwards", "max-forwards"],
  ["authorization", "authorization"],
  ["proxyAuthorization", "proxy-authorization"],
  ["proxyAuthenticate", "proxy-authenticate"],
  ["wwwAuthenticate", "www-authenticate"],
  ["cookie", "cookie"],
  ["setCookie", "set-cookie"],
  ["userAgent", "user-agent"],
  ["referer", "referer"],
  ["origin", "origin"],
  ["range", "range"],
  ["acceptEncoding", "accept-encoding"],
  ["contentEncoding", "content-encoding"],
  ["contentType", "content-type"],
  ["contentRange", "content-range"],
  ["cacheControl", "cache-control"],
  ["etag", "etag"],
  ["vary", "vary"],
  ["location", "location"],
  ["server", "server"],
  ["date", "date"],
  ["retryAfter", "retry-after"],
] as const;

type Kind = typeof NAMES[number][0] | "other";

/**
 * `disguisedFraming`: Content_Length and Transfer_Encoding; `disguisedClaim`: a claim with `_` in it, which even a
 * trusted proxy may have let through; `clientCert` is every Client-Cert*, `forwardedOther` every other X-Forwarded-*.
 */
export const KIND = Object.freeze(
  Object.fromEntries([["other", 0], ...NAMES.map(([kind], at) => [kind, at + 1])]),
) as Readonly<Record<Kind, number>>;

const LAST_HOP_BY_HOP = KIND.disguisedFraming;
const LAST_IDENTITY = KIND.disguisedClaim;
const LAST_CLAIM = KIND.realIp;

/** Whether a field of this kind ends at this hop. */
export const isHopByHop = (kind: number): boolean => kind > 0 && kind <= LAST_HOP_BY_HOP;
/** Whether it claims a client's identity: removed from everybody. */
export const isIdentityClaim = (kind: number): boolean => kind > LAST_HOP_BY_HOP && kind <= LAST_IDENTITY;
/** Whether it claims where a request came from: removed unless a trusted proxy sent it. */
export const isForwardingClaim = (kind: number): boolean => kind > LAST_IDENTITY && kind <= LAST_CLAIM;

const NAME_OF: readonly Uint8Array[] = [octets(""), ...NAMES.map(([, name]) => octets(name))];
const X_FORWARDED = octets("x-forwarded-");
const CLIENT_CERT = octets("client-cert");
const SLOTS = 256;
/** Chains of names with one hash: the first of each slot, and the next of each kind. */
const FIRST = new Uint8Array(SLOTS);
const NEXT = new Uint8Array(NAME_OF.length);

for (let kind = NAME_OF.length - 1; kind > 0; kind--) {
  const name = NAME_OF[kind];
  if (name.length === 0) continue;
  const slot = slotOf(name, 0, name.length);
  NEXT[kind] = FIRST[slot];
  FIRST[slot] = kind;
}

/** The kind of the name from `start` to `end`, a token in any case. */
export function kindOf(bytes: Uint8Array, start: number, end: number): number {
  for (let kind = FIRST[slotOf(bytes, start, end)]; kind !== 0; kind = NEXT[kind]) {
    const name = NAME_OF[kind];
    if (name.length === end - start && isFolded(bytes, start, name)) return spelled(bytes, start, end, kind);
  }
  return kindOfPrefix(bytes, start, end);
}

function kindOfPrefix(bytes: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size > X_FORWARDED.length && isFolded(bytes, start, X_FORWARDED)) {
    return spelled(bytes, start, end, KIND.forwardedOther);
  }
  if (size > CLIENT_CERT.length && isFolded(bytes, start, CLIENT_CERT)) return KIND.clientCert;
  return KIND.other;
}

/** The kind of a name that is that of `kind`, or would be if its `_` were `-`. */
function spelled(bytes: Uint8Array, start: number, end: number, kind: number): number {
  let at = start;
  while (at < end && TOKEN[bytes[at]] === FOLDED[bytes[at]]) at++;
  if (at === end) return kind;
  if (isIdentityClaim(kind) || isForwardingClaim(kind)) return KIND.disguisedClaim;
  return kind === KIND.contentLength || kind === KIND.transferEncoding ? KIND.disguisedFraming : KIND.other;
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const size = end - start;
  return (size * 7 + FOLDED[bytes[start]] * 5 + FOLDED[bytes[end - 1]] * 3 +
    FOLDED[bytes[start + (size >> 1)]]) %
    SLOTS;
}

function isFolded(bytes: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let at = 0; at < lower.length; at++) {
    if (FOLDED[bytes[start + at]] !== lower[at]) return false;
  }
  return true;
}
