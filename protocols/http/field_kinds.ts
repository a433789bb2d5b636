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

/** How many there are. */
export const KINDS = NAMES.length + 1;

const LAST_HOP_BY_HOP = KIND.disguisedFraming;
const LAST_IDENTITY = KIND.disguisedClaim;
const LAST_CLAIM = KIND.realIp;

/** Whether a field of this kind ends at this hop. */
export const isHopByHop = (kind: number): boolean => kind > 0 && kind <= LAST_HOP_BY_HOP;
/** Whether it claims a client's identity: removed from everybody. */
export const isIdentityClaim = (kind: number): boolean => kind > LAST_HOP_BY_HOP && kind <= LAST_IDENTITY;
/** Whether it claims where a request came from: removed unless a trusted proxy sent it. */
export const isForwardingClaim = (kind: number): boolean => kind > LAST_IDENTITY && kind <= LAST_CLAIM;

/** All names one behind the other, where each begins, and how long it is: one array is read faster than many. */
const TEXT = octets(NAMES.map(([, name]) => name).join(""));
const START = new Uint16Array(NAMES.length + 1);
const SIZE = Uint8Array.from(["", ...NAMES.map(([, name]) => name)], (name) => name.length);
const UNDERSCORE = 0x5f;
const X_FORWARDED = octets("x-forwarded-");
const CLIENT_CERT = octets("client-cert");
const SLOTS = 256;
/** Chains of names with one hash: the first of each slot, and the next of each kind. */
const FIRST = new Uint8Array(SLOTS);
const NEXT = new Uint8Array(SIZE.length);

for (let kind = 1, start = 0; kind < SIZE.length; start += SIZE[kind++]) {
  START[kind] = start;
  if (SIZE[kind] === 0) continue;
  const slot = slotOf(TEXT, start, SIZE[kind]);
  NEXT[kind] = FIRST[slot];
  FIRST[slot] = kind;
}

/** The kind of the name from `start` to `end`, a token in any case. */
export function kindOf(bytes: Uint8Array, start: number, end: number): number {
  const size = end - start;
  for (let kind = FIRST[slotOf(bytes, start, size)]; kind !== 0; kind = NEXT[kind]) {
    if (SIZE[kind] !== size) continue;
    const name = START[kind];
    let at = 0;
    while (at < size && TOKEN[bytes[start + at]] === TEXT[name + at]) at++;
    if (at === size) return kind;
    if (isFolded(bytes, start, TEXT, name, size)) return disguised(kind);
  }
  const first = bytes[start] | 0x20;
  return first === 0x78 || first === 0x63 ? kindOfPrefix(bytes, start, size) : KIND.other;
}

/** The kind of a name that begins like `x-forwarded-` or `client-cert`. */
function kindOfPrefix(bytes: Uint8Array, start: number, size: number): number {
  if (size > X_FORWARDED.length && isFolded(bytes, start, X_FORWARDED, 0, X_FORWARDED.length)) {
    for (let at = start; at < start + size; at++) if (bytes[at] === UNDERSCORE) return KIND.disguisedClaim;
    return KIND.forwardedOther;
  }
  return size > CLIENT_CERT.length && isFolded(bytes, start, CLIENT_CERT, 0, CLIENT_CERT.length)
    ? KIND.clientCert
    : KIND.other;
}

/** The kind of a name that would be of `kind` if its `_` were `-`. */
function disguised(kind: number): number {
  if (isIdentityClaim(kind) || isForwardingClaim(kind)) return KIND.disguisedClaim;
  return kind === KIND.contentLength || kind === KIND.transferEncoding ? KIND.disguisedFraming : KIND.other;
}

function slotOf(bytes: Uint8Array, start: number, size: number): number {
  const last = start + size - 1;
  return (size * 7 + FOLDED[bytes[start]] * 5 + FOLDED[bytes[last]] * 3 +
    FOLDED[bytes[start + (size >> 1)]]) &
    (SLOTS - 1);
}

/** Whether `size` octets from `start` on are those of `lower` from `name` on, `_` standing for `-`. */
function isFolded(bytes: Uint8Array, start: number, lower: Uint8Array, name: number, size: number): boolean {
  for (let at = 0; at < size; at++) {
    if (FOLDED[bytes[start + at]] !== lower[name + at]) return false;
  }
  return true;
}
