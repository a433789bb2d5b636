/** What a grant lets somebody ask for: where -L may lead, and where -R may listen. Pure. */
import { canonicalHost, isLoopback, isUnixHost, parseIp, type Target } from "../../../gate/address.ts";
import type { Permitted } from "../../../gate/identity/logins.ts";
import type { Grant } from "../keys/login.ts";
import { matchesPattern } from "../keys/pattern.ts";

/** Who has this role reaches what policy allows, and offers nothing. */
const GUEST = "guest";
const EVERYWHERE: readonly string[] = ["0.0.0.0", "::"];
const LOOPBACK: readonly string[] = ["127.0.0.1", "::1"];

/** Why a channel may not lead there; undefined: policy decides. */
export function whyNotOpen({ forwarding, permitOpen }: Grant, target: Target): string | undefined {
  if (!forwarding) return "who logged in so may forward nothing";
  if (permitOpen === undefined) return undefined;
  const host = canonicalHost(target.host);
  const isPermitted = host !== undefined && !isUnixHost(host) && permitOpen.some((one) => {
    return (one.host === "*" || one.host === host) && isForPort(one, target.port);
  });
  return isPermitted ? undefined : "permitopen does not have it";
}

/** Why nothing is listened on for him; undefined: for some of it he may ask. */
export function whyNotListen({ forwarding, role }: Grant): string | undefined {
  if (!forwarding) return "who logged in so may forward nothing";
  return role === GUEST ? "guests offer nothing" : undefined;
}

/** The addresses that one to listen on stands for (RFC 4254 7.1), as literals; undefined: it is a name, or nothing. */
export function literalsOf(address: string): readonly string[] | undefined {
  if (address === "" || address === "*") return EVERYWHERE;
  const host = canonicalHost(address);
  if (host === "localhost") return LOOPBACK;
  return host !== undefined && parseIp(host) ? [host] : undefined;
}

/**
 * What may be listened on where a client asks for an address and a port: literals; none: nothing. Beyond loopback what
 * permitlisten spells; who asks for all addresses where it has any gets loopback, as sshd has it.
 */
export function listenAddresses(
  { permitListen = [] }: Grant,
  address: string,
  port: number,
): readonly string[] {
  const asked = literalsOf(address), hosts = permitListen.filter((one) => isForPort(one, port));
  if (asked === undefined) return [];
  const spelled = asked.filter((literal) => hosts.some(({ host }) => host === literal));
  if (spelled.length > 0) return spelled;
  const isMeant = (text: string) => hosts.some(({ host }) => matchesPattern(host, text));
  if (asked.every((literal) => isLoopback(parseIp(literal)!))) {
    return isMeant("localhost") || isMeant(asked[0]) ? asked : [];
  }
  return EVERYWHERE.includes(asked[0]) && isMeant("") ? LOOPBACK : [];
}

export const isForPort = (permitted: Permitted, port: number): boolean =>
  permitted.port === undefined || permitted.port === port;
