/** What the texts of a route's filters mean: fields of heads, parts of URIs. */
import { formatIp, isV4, normalName, parseIp } from "../address.ts";
import { readingsOf } from "../request_path.ts";
import { Mistake, PORT, readFieldName, type Reading } from "./scalars.ts";

export const FIELD_NAME = "the name of a header";
export const FIELD_VALUE = "the value of a header";
export const NEW_PATH =
  "a path such as /v2, of characters that RFC 3986 allows, without query, dot segments and encoded slashes";
export const URI_HOST = "a name or an address";
export const AUTHORITY = "a name or an address, with or without a port";

/** RFC 3986 3.3. */
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;

/** About one connection, or about how long a message is: RFC 9110 7.6.1, 6.6.2, 10.1.1, RFC 9112 6. */
const FRAMING: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"],
  ...["http2-settings", "content-length", "trailer", "proxy-authorization", "proxy-authenticate"],
]);
/** Who a client is, and where a request came from. */
const CLAIM = /^(?:client-cert|x-forwarded-)|^(?:forwarded|remote-user|x-real-ip|via)$/;
/** What a request is called. */
const NAMING: ReadonlySet<string> = new Set(["x-request-id", "traceparent", "tracestate"]);

/** The name of a field that a route may change in requests. */
export function readRequestField(name: string): Reading<string> {
  const folded = fold(name);
  if (folded === "host") return another("rewrite.host says the Host");
  if (folded === "expect") return another("it is between this gate and the client");
  if (CLAIM.test(folded)) return another("where a request comes from, and from whom, only the gate says");
  if (NAMING.has(folded)) return another("the gate itself names requests");
  return readEndToEnd(name, folded);
}

/** The same of responses. */
export function readResponseField(name: string): Reading<string> {
  const folded = fold(name);
  if (folded === "date") return another("whoever makes a response says when that was");
  return readEndToEnd(name, folded);
}

function readEndToEnd(name: string, folded: string): Reading<string> {
  if (FRAMING.has(folded)) return another("it is about one connection or one message, and the gate's own");
  const lower = readFieldName(name);
  return lower instanceof Mistake ? lower : name;
}

/** Applications behind CGI's conventions cannot tell `_` and `-` apart. */
const fold = (name: string): string => name.toLowerCase().replaceAll("_", "-");
const another = (why: string): Mistake => new Mistake(`another header: ${why}`);

/** A path that takes the place of another one. */
export function readNewPath(text: string): Reading<string> {
  const readings = PATH.test(text) ? readingsOf(text) : undefined;
  return readings && !readings.encodedSlash ? readings.normal : new Mistake(NEW_PATH);
}

/** A host as a URI has it: an IPv6 address in brackets, with or without them in the text. */
export function readUriHost(text: string): Reading<string> {
  const ip = parseIp(/^\[(.*:.*)\]$/.exec(text)?.[1] ?? text);
  if (ip !== undefined) return isV4(ip) ? formatIp(ip) : `[${formatIp(ip)}]`;
  return normalName(text) ?? new Mistake(URI_HOST);
}

/** `host`, `host:port` or `[v6]:port`, as Host has it. */
export function readAuthority(text: string): Reading<string> {
  const [, before, digits] = /^(\[.*\]|[^:]*):([0-9]+)$/.exec(text) ?? [undefined, text, undefined];
  const host = readUriHost(before);
  if (host instanceof Mistake) return new Mistake(AUTHORITY);
  if (digits === undefined) return host;
  const port = Number(digits);
  return port >= 1 && port <= 65535 ? `${host}:${port}` : new Mistake(PORT, digits);
}
