/** Who a request asks for: the authority of RFC 3986 3.2, without user information. */
import { parseIp } from "../../gate/address.ts";
import type { Target } from "../../gate/contracts.ts";
import { namedTarget } from "../common/named.ts";
import { type RequestHead, valuesOf } from "./head.ts";

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]@/?#]+))(?::([0-9]{0,5}))?$/;
const ABSOLUTE_FORM = /^(https?):\/\/([^/?#]*)/i;
const DEFAULT_PORT = { http: 80, https: 443 };

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

/** Whether a request's target is a URL: `http://host/path`. */
export const isAbsolute = (target: string): boolean => ABSOLUTE_FORM.test(target);

/**
 * The host a request is for (RFC 9112 3.2): of the absolute-form target, else of its one Host field. `target` is
 * undefined where an old or a strange request names none; false: it contradicts itself, or names no host.
 */
export function requestedHost({ target, version, fields }: RequestHead): Target | undefined | false {
  const hosts = valuesOf(fields, "host");
  if (hosts.length > 1 || (hosts.length === 0 && version === "1.1")) return false;
  const absolute = ABSOLUTE_FORM.exec(target);
  if (!absolute && !target.startsWith("/") && target !== "*") return false;
  if (!absolute) return hosts[0] ? parseAuthority(hosts[0], DEFAULT_PORT.http) ?? false : undefined;
  const scheme = absolute[1].toLowerCase() as keyof typeof DEFAULT_PORT;
  return parseAuthority(absolute[2], DEFAULT_PORT[scheme]) ?? false;
}
