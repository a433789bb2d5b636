/** The four forms of a request target (RFC 9112 3.2), and the Host beside it. */
import { isAuthority } from "./authority_octets.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { KIND } from "./field_kinds.ts";
import type { MessageHead } from "./message_head.ts";
import { COLON, octets, SLASH, startsWith, TOKEN } from "./octets.ts";

const ASTERISK = 0x2a;
const QUESTION = 0x3f;
const HTTP = octets("http");
/** Behind `http`. */
const SECURE = 0x73;
const AFTER_SCHEME = octets("://");

/** Finds the form and whom the request is for; undefined: all is well. */
export function readTarget(head: MessageHead, bytes: Uint8Array): Fault | undefined {
  const { targetStart, targetEnd } = head;
  head.pathStart = targetStart;
  const fault = formOf(head, bytes, targetStart, targetEnd);
  return fault ?? readHost(head, bytes);
}

/** CONNECT has an authority and nothing else has one; the asterisk is for OPTIONS. */
function formOf(head: MessageHead, bytes: Uint8Array, start: number, end: number): Fault | undefined {
  if (head.method === "CONNECT") return authorityForm(head, bytes, start, end);
  if (bytes[start] === SLASH) {
    head.form = "origin";
    return undefined;
  }
  if (bytes[start] !== ASTERISK) return absoluteForm(head, bytes, start, end);
  if (end - start > 1) return FAULTS.target;
  head.form = "asterisk";
  return head.method === "OPTIONS" ? undefined : FAULTS.targetForm;
}

function authorityForm(head: MessageHead, bytes: Uint8Array, start: number, end: number): Fault | undefined {
  if (bytes[start] === SLASH || bytes[start] === ASTERISK) return FAULTS.targetForm;
  if (!isAuthority(bytes, start, end, true)) return FAULTS.authority;
  head.form = "authority";
  head.authorityStart = start;
  head.authorityEnd = end;
  return undefined;
}

/** `http://` or `https://` in any case; schemes that are not served here are no targets of a request to us. */
function absoluteForm(head: MessageHead, bytes: Uint8Array, start: number, end: number): Fault | undefined {
  const authority = schemeEnd(bytes, start, end);
  if (authority === start) return FAULTS.target;
  let path = authority;
  while (path < end && bytes[path] !== SLASH && bytes[path] !== QUESTION) path++;
  if (!isAuthority(bytes, authority, path)) return FAULTS.authority;
  head.form = "absolute";
  head.authorityStart = authority;
  head.authorityEnd = head.pathStart = path;
  return undefined;
}

/** Where the authority begins; `start`: no scheme of HTTP. */
function schemeEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < HTTP.length + 1 + AFTER_SCHEME.length) return start;
  for (let i = 0; i < HTTP.length; i++) {
    if (TOKEN[bytes[start + i]] !== HTTP[i]) return start;
  }
  let at = start + HTTP.length;
  if (bytes[at] !== COLON && TOKEN[bytes[at]] === SECURE) at++;
  return startsWith(bytes, at, AFTER_SCHEME) ? at + AFTER_SCHEME.length : start;
}

/** Whether the target is a URL of https. */
export const namesHttps = ({ form, targetStart }: MessageHead, bytes: Uint8Array): boolean =>
  form === "absolute" && TOKEN[bytes[targetStart + HTTP.length]] === SECURE;

/**
 * Exactly one valid Host, which HTTP/1.0 may leave out (RFC 9112 3.2). Beside an authority in the target it is ignored
 * and replaced, and may be empty then.
 */
function readHost(head: MessageHead, bytes: Uint8Array): Fault | undefined {
  const line = head.find(KIND.host);
  if (line < 0) return head.minor === 0 ? undefined : FAULTS.noHost;
  if (head.find(KIND.host, line + 1) >= 0) return FAULTS.manyHosts;
  const start = head.valueStart(line), end = head.valueEnd(line);
  const named = head.authorityEnd > 0;
  if (!isAuthority(bytes, start, end) && !(named && start === end)) return FAULTS.host;
  if (!named) {
    head.authorityStart = start;
    head.authorityEnd = end;
  }
  return undefined;
}
