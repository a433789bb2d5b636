/** What a listener says against what its protocols can, and who owns which port. */
import { isLoopback, isUnixHost, isV4, parseIp } from "../address.ts";
import type { Protocols, Target } from "../contracts.ts";
import type { Configuration, ListenerConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { suggestion } from "./suggest.ts";
import { nodeAt, type Path } from "./tree.ts";

/** Reports a name that is no protocol. */
export function knownProtocol(name: string, path: Path, protocols: Protocols, findings: Findings): boolean {
  if (Object.hasOwn(protocols, name)) return true;
  findings.error(
    path,
    `unknown protocol ${findings.written(path)}${suggestion(name, Object.keys(protocols))}`,
  );
  return false;
}

/** Reports a name that stands in a list before. */
export function checkRepeated(names: readonly string[], path: Path, findings: Findings): void {
  names.forEach((name, i) => {
    const at = [...path, i];
    if (names.indexOf(name) < i) findings.error(at, `${findings.written(at)} is given twice`);
  });
}

/** Whether the protocols of the listener are right, so that routes and policy can be held against it. */
export function checkListener(
  { path, value }: Located<ListenerConfiguration>,
  protocols: Protocols,
  findings: Findings,
): boolean {
  const at = [...path, "protocols"];
  checkRepeated(value.protocols, at, findings);
  const known = value.protocols.map((name, i) => knownProtocol(name, [...at, i], protocols, findings));
  if (known.includes(false)) return false;
  const silent = value.protocols.filter((name) => protocols[name].sniff === undefined);
  if (silent.length > 0 && value.protocols.length > 1) {
    const others = value.protocols.filter((name) => name !== silent[0]).join(", ");
    findings.error(at, `${silent[0]} cannot be told apart from ${others}: it has no first bytes of its own`);
    return false;
  }
  if (silent.length > 0 && value.fallback) {
    findings.error([...path, "fallback"], `excludes [${silent[0]}]: nothing is sniffed`);
  }
  if (value.users) checkUsers({ path, value }, protocols, findings);
  return true;
}

/** Someone has to ask for the password: every protocol of the listener whose clients name a target. */
function checkUsers(
  { path, value }: Located<ListenerConfiguration>,
  protocols: Protocols,
  findings: Findings,
) {
  const at = [...path, "users"];
  const mute = value.protocols.filter((name) => {
    return protocols[name].naming === "target" && !protocols[name].authenticates;
  });
  if (mute.length > 0) findings.error(at, `${mute.join(", ")} cannot ask for a password`);
  else if (!value.protocols.some((name) => protocols[name].authenticates)) {
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
  listeners: Iterable<Located<ListenerConfiguration>>,
  admin: Configuration["admin"],
  findings: Findings,
): void {
  const owners: Owner[] = [];
  for (const { path, value } of listeners) {
    const at = [...path, "address"];
    owners.push(...value.addresses.map((address, i) => ({ path: findings.item(at, i), address })));
  }
  for (const [key, address] of Object.entries(admin)) {
    if (address) owners.push({ path: ["admin", key], address });
  }
  const byPort = new Map<string, Owner[]>();
  for (const owner of owners) {
    const { host, port } = owner.address;
    const key = isUnixHost(host) ? host : String(port);
    const there = key === "0"
      ? undefined
      : byPort.get(key)?.find((other) => overlap(other.address.host, host));
    if (there) reportOwners(there, owner, key, findings);
    byPort.set(key, [...byPort.get(key) ?? [], owner]);
  }
}

/** Blames the later of two, unless only the earlier was written. */
function reportOwners(first: Owner, second: Owner, key: string, findings: Findings): void {
  const written = nodeAt(findings.root, second.path) !== undefined;
  const [blamed, other] = written ? [second, first] : [first, second];
  const what = isUnixHost(key) ? key : `port ${key}`;
  findings.error(blamed.path, `${what} is owned by ${findings.locate(other.path)} already`);
}

function overlap(a: string, b: string): boolean {
  if (a === b || isBoth(a) || isBoth(b)) return true;
  return (a === "0.0.0.0" && isFour(b)) || (b === "0.0.0.0" && isFour(a));
}

function isBoth(host: string): boolean {
  return host === "" || host === "::";
}

function isFour(host: string): boolean {
  const ip = parseIp(host);
  return ip !== undefined && isV4(ip);
}
