/** Who a request asks for: the authority of RFC 3986 3.2, without user information. */
import { parseIp, type Target } from "../../gate/address.ts";
import { namedTarget } from "../common/named.ts";
import { latin1 } from "./interned.ts";
import type { MessageHead } from "./message_head.ts";
import { namesHttps } from "./request_target.ts";

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]@/?#]+))(?::([0-9]{0,5}))?$/;

/** `host:port`, `[v6]:port`; with a `defaultPort` also without the port. undefined: not strictly that. */
export function parseAuthority(text: string, defaultPort?: number): Target | undefined {
  const match = AUTHORITY.exec(text);
  if (!match) return undefined;
  const [, v6, name, digits] = match;
  const port = digits ? Number(digits) : defaultPort;
  if (port === undefined || port > 65535) return undefined;
  if (v6 !== undefined && (!v6.includes(":") || !parseIp(v6))) return undefined;
  return namedTarget(v6 ?? name, port);
}

/**
 * Whom a request is for (RFC 9112 3.2), by default at the port of its scheme. undefined: it names nobody, or nobody who
 * could be dialed.
 */
export function requestedTarget(head: MessageHead, bytes: Uint8Array): Target | undefined {
  const { authorityStart, authorityEnd } = head;
  if (authorityStart === authorityEnd) return undefined;
  return parseAuthority(latin1(bytes, authorityStart, authorityEnd), defaultPort(head, bytes));
}

/** Of the scheme of its target; where that is a path, of http. */
export const defaultPort = (head: MessageHead, bytes: Uint8Array): number =>
  namesHttps(head, bytes) ? 443 : 80;
