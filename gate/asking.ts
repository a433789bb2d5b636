/** What is known of a connection when it has to be decided where it may go. */
import { isLoopback, isUnixHost, normalName, parseAnyIp, type Target } from "./address.ts";
import type { Conn, Naming } from "./contracts.ts";
import type { Identity } from "./identity/identity.ts";
import type { Requested } from "./requests.ts";
import type { ListenerRules } from "./snapshot.ts";

export interface Asking {
  readonly listener: string;
  /** Whether the connection itself came in where isTrusted holds; false for every entered inner stream. */
  readonly trusted: boolean;
  /** Registry name. */
  readonly protocol: string;
  readonly naming: Naming;
  readonly asksUser: boolean;
  readonly target?: Target;
  /** The request that is routed as such. */
  readonly request?: Requested;
  readonly serverName?: string;
  /** IP literal; absent for a unix socket. */
  readonly source?: string;
  readonly user?: string;
  readonly identity?: Identity;
}

/** What a served connection asks for. */
export function askingOf(
  conn: Conn,
  naming: Naming,
  trusted: boolean,
  target?: Target,
  request?: Requested,
): Asking {
  const { address, serverName, user, identity } = conn.peer;
  return {
    listener: conn.listener,
    trusted,
    protocol: conn.record.protocol,
    naming,
    asksUser: conn.asksUser,
    target,
    request,
    serverName,
    source: address.startsWith("unix") ? undefined : address,
    user,
    identity,
  };
}

/**
 * Whether a bound address of the listener (as its `addresses` has it) admits only this machine: loopback, or a unix
 * socket. With `proxyProtocol` it does not, for clients from anywhere come through it.
 */
export function isTrusted(listener: ListenerRules, address: string): boolean {
  if (listener.proxyProtocol.length > 0) return false;
  if (isUnixHost(address)) return true;
  const ip = parseAnyIp(boundHost(address));
  return ip !== undefined && isLoopback(ip);
}

/** The host of a bound address, without brackets; "" where it is every address. */
function boundHost(address: string): string {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(":")));
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

/**
 * The normal name by which routes know the asking; undefined: none, or an IP literal, which is no name. Where TLS names
 * its target in a form of SNI (Istio's), the target's host is the name, and not the SNI as it came.
 */
export function askedName(asking: Asking): string | undefined {
  const text = asking.target?.host ?? (asking.naming === "serverName" ? asking.serverName : undefined);
  return text === undefined ? undefined : rememberedName(text);
}

/** Names that were asked for lately, in normal form: requests ask for the same ones again and again. */
const MOST_NAMES = 1024;
const names = new Map<string, string | undefined>();

function rememberedName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.has(text)) return known;
  if (names.size >= MOST_NAMES) names.clear();
  const name = normalName(text);
  names.set(text, name);
  return name;
}
