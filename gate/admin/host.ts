/**
 * Whom a request is meant for, and on whose behalf it comes. A page in a browser can send requests to loopback under a
 * name of its own (DNS rebinding); such a request carries that name as its Host. Or it sends them as they are, and the
 * browser says so in Origin and Sec-Fetch-Site. Both are refused.
 */
import { isLoopback, isUnixHost, parseIp, type Target } from "../address.ts";
import type { Head } from "./head.ts";

/** `[v6]`, `v4` or a name, then perhaps a port: RFC 9110 7.2. */
const HOST = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]*)?$/;

/**
 * Tells whether a Host names the server that listens at `own`: its address, or a loopback name. The port is free, for
 * a forwarded port is another one. A server on all addresses is named by every IP literal, which no rebinding can
 * carry. On a unix socket, which no browser reaches, the Host may be missing.
 */
export function hostGuard(own: Target): (host: string | undefined) => boolean {
  const unix = isUnixHost(own.host);
  const everywhere = own.host === "" || own.host === "::" || own.host === "0.0.0.0";
  const ownName = own.host.toLowerCase();
  return (header) => {
    if (!header) return unix;
    const found = HOST.exec(header);
    if (!found) return false;
    const name = (found[1] ?? found[2]).toLowerCase().replace(/\.$/, "");
    if (name === "localhost" || name.endsWith(".localhost") || name === ownName) return true;
    const ip = parseIp(name);
    return ip !== undefined && (everywhere || isLoopback(ip));
  };
}

/**
 * Whether a request that changes something comes from the page itself, or from no browser: its Origin is the host and
 * port it came to, or missing. `null` (a sandboxed frame, a redirect) is another origin.
 */
export function isOwnOrigin({ host, headers }: Head): boolean {
  const origin = headers.get("origin"), site = headers.get("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  return origin === undefined || origin === URL.parse(`http://${host}`)?.origin;
}

/** Whether another site's page loads this into itself, which is no way to read it; a link to here is one. */
export function isEmbedded({ headers }: Head): boolean {
  return headers.get("sec-fetch-site") === "cross-site" && headers.get("sec-fetch-mode") !== "navigate";
}
