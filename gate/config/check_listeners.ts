/** What a listener says against what its protocols can, and who owns which port. */
import { isLoopback, isUnixHost, isV4, parseIp, type Target } from "../address.ts";
import type { Protocols } from "../contracts.ts";
import type { Configuration, ListenerConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { nodeAt, type Path } from "./tree.ts";

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

interface Owner {
  readonly path: Path;
  readonly address: Target;
}

/** No port has two owners: a wildcard owns it on every address of its family, `:port` and `[::]` of both. */
export function checkPorts(
  listeners: Iterable<Located<Partial<Pick<ListenerConfiguration, "addresses">>>>,
  admin: Configuration["admin"],
  findings: Findings,
): void {
  const owners: Owner[] = [];
  for (const { path, value } of listeners) {
    const at = [...path, "address"];
    value.addresses?.forEach((address, i) => owners.push({ path: findings.item(at, i), address }));
  }
  for (const [key, address] of Object.entries(admin)) {
    const path = ["admin", key];
    if (address && !findings.isReported(path)) owners.push({ path, address });
  }
  const ports = new Map<string, Map<string, Owner>>();
  for (const owner of owners) {
    const { host, port } = owner.address;
    const key = isUnixHost(host) ? host : String(port);
    if (key === "0") continue;
    const there = ports.get(key) ?? new Map<string, Owner>();
    ports.set(key, there);
    const first = conflicting(host).map((kind) => there.get(kind)).find((other) => other !== undefined);
    if (first) reportOwners(first, owner, key, findings);
    for (const kind of [host, ANY, ...isFour(host) ? [ANY_V4] : []]) {
      if (!there.has(kind)) there.set(kind, owner);
    }
  }
}

const ANY = "any", ANY_V4 = "any v4";

/** Under what the owners of one port are found that leave this host nothing: no look at each of them. */
function conflicting(host: string): string[] {
  if (isBoth(host)) return [ANY];
  if (host === "0.0.0.0") return [ANY_V4, ...BOTH];
  return [host, ...BOTH, ...isFour(host) ? ["0.0.0.0"] : []];
}

/** Blames the later of two, unless only the earlier was written. */
function reportOwners(first: Owner, second: Owner, key: string, findings: Findings): void {
  const written = nodeAt(findings.root, second.path) !== undefined;
  const [blamed, other] = written ? [second, first] : [first, second];
  const what = isUnixHost(key) ? key : `port ${key}`;
  findings.error(blamed.path, `${what} is owned by ${findings.locate(other.path)} already`);
}

/** Every address of both families. */
const BOTH = ["", "::"];

function isBoth(host: string): boolean {
  return BOTH.includes(host);
}

function isFour(host: string): boolean {
  const ip = parseIp(host);
  return ip !== undefined && isV4(ip);
}
