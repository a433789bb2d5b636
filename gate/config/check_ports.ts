/** No port has two owners: a wildcard owns it on every address of its family, `:port` and `[::]` of both. */
import { isUnixHost, isV4, parseIp, type Target } from "../address.ts";
import type { Configuration, ListenerConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { nodeAt, type Path } from "./tree.ts";

interface Owner {
  readonly path: Path;
  readonly address: Target;
}

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
