/** What a listener says against what its protocols can, and who comes in there. */
import { isLoopback, isUnixHost, parseIp } from "../address.ts";
import type { Protocols } from "../contracts.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import type { Path } from "./tree.ts";

/** What of a listener its protocols have to do with. */
type Speaking = Located<Partial<Pick<ListenerConfiguration, "protocols" | "fallback" | "users">>>;

/** Whether the protocols of the listener are right, so that routes and policy can be held against it. */
export function checkListener({ path, value }: Speaking, protocols: Protocols, findings: Findings): boolean {
  const { protocols: names = [], fallback, users } = value;
  const at = [...path, "protocols"];
  if (names.some((name) => !Object.hasOwn(protocols, name)) || new Set(names).size < names.length) {
    return false;
  }
  const silent = names.filter((name) => protocols[name].sniff === undefined);
  if (silent.length > 0 && names.length > 1) {
    const others = names.filter((name) => name !== silent[0]).join(", ");
    findings.error(at, `${silent[0]} cannot be told apart from ${others}: it has no first bytes of its own`);
    return false;
  }
  if (silent.length > 0 && fallback) {
    findings.error([...path, "fallback"], `excludes [${silent[0]}]: nothing is sniffed`);
  }
  if (users && names.length > 0) checkUsers(names, [...path, "users"], protocols, findings);
  return true;
}

/** Someone has to ask for the password: every protocol of the listener whose clients name a target. */
function checkUsers(names: readonly string[], at: Path, protocols: Protocols, findings: Findings): void {
  const mute = names.filter((name) => protocols[name].naming === "target" && !protocols[name].authenticates);
  if (mute.length > 0) findings.error(at, `${mute.join(", ")} cannot ask for a password`);
  else if (!names.some((name) => protocols[name].authenticates)) {
    const asking = Object.keys(protocols).filter((name) => protocols[name].authenticates).join(", ");
    findings.error(at, `no protocol of this listener asks for a password, as ${asking} would`);
  }
}

/** Whether only clients of this machine come in: no PROXY header may speak for others then. */
export function trustsItsMachine({ addresses, proxyProtocol }: ListenerConfiguration): boolean {
  return proxyProtocol.length === 0 &&
    addresses.every(({ host }) => isUnixHost(host) || isLoopbackHost(host));
}

export function isLoopbackHost(host: string): boolean {
  const ip = parseIp(host);
  return ip !== undefined && isLoopback(ip);
}
