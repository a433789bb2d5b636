/** What a new configuration changes, in sentences for who changed it. */
import { formatTarget, type Target } from "../address.ts";
import type {
  Configuration,
  DnsConfiguration,
  ListenerConfiguration,
  LogConfiguration,
} from "./configuration.ts";
import { sshChanges } from "./ssh_differences.ts";
import { formatDuration, formatSize } from "./units.ts";

export interface Differences {
  readonly changes: readonly string[];
  /** Of them, what takes a restart to hold. */
  readonly restart: readonly string[];
}

export function differences(before: Configuration, after: Configuration): Differences {
  const changes = [
    ...keyChanges("node.", NODE, nodeOf(before), nodeOf(after)),
    ...listenerChanges(before.listeners, after.listeners),
    ...listChanges("routes", before.routes, after.routes),
    ...namedChanges("certificates", certificatesOf(before), certificatesOf(after)),
    ...keyChanges("acme.", ACME, acmeOf(before), acmeOf(after)),
    ...namedChanges("issuers", issuersOf(before), issuersOf(after)),
    ...namedChanges("hosts", before.hosts, after.hosts),
    ...sshChanges(before.ssh, after.ssh),
    ...listChanges("policy", before.policy, after.policy),
    ...keyChanges("limits.", LIMITS, before.limits, after.limits),
    ...keyChanges<Pick<Configuration, "discovery">>("", { discovery: list }, before, after),
    ...keyChanges("dns.", DNS, before.dns, after.dns),
    ...keyChanges("admin.", ADMIN, before.admin, after.admin),
    ...keyChanges("log.", LOG, before.log, after.log),
  ];
  const restart = [
    ...(before.engine.threads === after.engine.threads ? [] : ["engine.threads"]),
    ...STARTED.filter((key) => !same(before.node[key], after.node[key])).map((key) => `node.${key}`),
  ];
  return { changes, restart: restart.map((key) => `${key} changed: it takes a restart to hold`) };
}

/** Of `node`, what a gate is from its start on. */
const STARTED = ["name", "domain", "trustDomain", "namespace", "state"] as const;

type Listeners = Configuration["listeners"];

function listenerChanges(before: Listeners, after: Listeners): string[] {
  const sentences: string[] = [];
  for (const [name, listener] of Object.entries(after)) {
    if (!Object.hasOwn(before, name)) sentences.push(`listener ${name}: new, on ${addresses(listener)}`);
    else sentences.push(...listenerChange(before[name], listener));
  }
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) sentences.push(`listener ${name}: closed, its connections go on`);
  }
  return sentences;
}

function listenerChange(before: ListenerConfiguration, after: ListenerConfiguration): string[] {
  const { name } = after;
  const moved = same(before.addresses, after.addresses)
    ? []
    : [`listener ${name}: on ${addresses(after)} instead of ${addresses(before)}`];
  const written = { ...before, ...after }; // what is gone changed too
  const keys = (Object.keys(written) as (keyof ListenerConfiguration)[]).filter((key) =>
    key !== "addresses" && !same(before[key], after[key])
  );
  return keys.length === 0 ? moved : [...moved, `listener ${name}: ${keys.join(", ")} changed`];
}

const addresses = (listener: ListenerConfiguration): string =>
  listener.addresses.map(formatTarget).join(", ");

/** Rules are told apart by what they say, not by the line they stand in. */
function listChanges(what: string, before: readonly object[], after: readonly object[]): string[] {
  const [old, now] = [before, after].map((rules) =>
    rules.map((rule) => JSON.stringify({ ...rule, place: "" }))
  );
  if (same(old, now)) return [];
  const added = now.length - common(old, now), removed = old.length - common(old, now);
  if (added === 0 && removed === 0) return [`${what}: in another order`];
  const parts = [added > 0 && `${added} new`, removed > 0 && `${removed} gone`].filter(Boolean);
  return [`${what}: ${parts.join(", ")}`];
}

/** How many of `now` are in `old`, each as often as it is there. */
function common(old: readonly string[], now: readonly string[]): number {
  const left = new Map<string, number>();
  for (const text of old) left.set(text, (left.get(text) ?? 0) + 1);
  return now.filter((text) => {
    const count = left.get(text) ?? 0;
    if (count > 0) left.set(text, count - 1);
    return count > 0;
  }).length;
}

function namedChanges(
  what: string,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] {
  const told = (word: string, names: string[]) =>
    names.length > 0 ? [`${what}: ${names.join(", ")} ${word}`] : [];
  const both = Object.keys(after).filter((name) => Object.hasOwn(before, name));
  return [
    ...told("new", Object.keys(after).filter((name) => !Object.hasOwn(before, name))),
    ...told("gone", Object.keys(before).filter((name) => !Object.hasOwn(after, name))),
    ...told("changed", both.filter((name) => !same(before[name], after[name]))),
  ];
}

/** By their names, or the file of one without. */
const certificatesOf = ({ certificates }: Configuration): Record<string, string> =>
  Object.fromEntries(certificates.map(({ names, file, digest }) => [names.join("+") || file, digest]));

const issuersOf = ({ issuers }: Configuration): Record<string, unknown> =>
  Object.fromEntries(issuers.map((one) => [one.issuer, one]));

/** How each key of a section is spelled in ugate.yaml. */
type Spelling<T> = { readonly [K in keyof T]-?: (value: T[K]) => string };

const list = (items: readonly string[]): string => `[${items.join(", ")}]`;
const orSystem = (items: readonly string[] | undefined): string =>
  items ? list(items) : "what /etc/resolv.conf says";
const orOff = (address: Target | undefined): string => address ? formatTarget(address) : "off";

const LIMITS: Spelling<Configuration["limits"]> = {
  connections: String,
  perSource: String,
  reserve: (slots) => `{${Object.entries(slots).map(([name, count]) => ` ${name}: ${count}`).join(",")} }`,
  sniffTimeout: formatDuration,
  handshakeTimeout: formatDuration,
  dialTimeout: formatDuration,
  idleTimeout: formatDuration,
  headSize: formatSize,
  headTimeout: formatDuration,
  bodyTimeout: formatDuration,
  keepAlive: formatDuration,
  requestsPerConnection: String,
  bodySize: (bytes) => bytes === undefined ? "none" : formatSize(bytes),
  grace: formatDuration,
};
const ACME: Spelling<ReturnType<typeof acmeOf>> = {
  email: (email) => email ?? "none",
  directory: (directory) => directory ?? "none",
  ca: (roots) => roots ?? "Mozilla's roots",
  names: list,
};

/** As far as it is written; roots that changed are other ones, though their file is the same. */
const acmeOf = ({ acme }: Configuration) => ({
  email: acme?.email,
  directory: acme?.directory,
  ca: acme?.ca && `${acme.ca} (${acme.digest?.slice(0, 8)})`,
  names: acme?.names ?? [],
});
const NODE: Spelling<ReturnType<typeof nodeOf>> = {
  key: (file) => file ?? "the one made at the first start",
  certificate: (file) => file ?? "one of its own",
  roots: (file) => file ?? "none",
};

/** Files that changed are other ones, though their names are the same. */
const nodeOf = ({ node: { key, certificate, roots, digest = "" } }: Configuration) => {
  const told = (file: string | undefined) => file && `${file} (${digest.slice(0, 8)})`;
  return { key: told(key), certificate: told(certificate), roots: told(roots) };
};
const DNS: Spelling<DnsConfiguration> = {
  servers: (servers) => orSystem(servers?.map(formatTarget)),
  search: orSystem,
};
const ADMIN: Spelling<Configuration["admin"]> = { address: orOff, metrics: orOff };
const LOG: Spelling<LogConfiguration> = { level: String, format: String };

function keyChanges<T>(section: string, spelling: Spelling<T>, before: T, after: T): string[] {
  return (Object.keys(spelling) as (keyof T & string)[])
    .filter((key) => !same(before[key], after[key]))
    .map((key) => `${section}${key}: ${spelling[key](after[key])} instead of ${spelling[key](before[key])}`);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
