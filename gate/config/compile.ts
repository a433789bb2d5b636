/** The configuration as the engines match it. */
import { formatTarget, normalName, type Target } from "../address.ts";
import { type EndpointHealth, MOST_ENDPOINTS } from "../health.ts";
import { NODE_SUFFIXES } from "../identity/node_id.ts";
import type { LogFormat } from "../log_line.ts";
import { type ConnectionLimits, MOST_LISTENERS, MOST_RESERVED } from "../limits.ts";
import { Numbers } from "../numbers.ts";
import { routeLabels } from "../route_labels.ts";
import type {
  CertificateRule,
  ListenerRules,
  RouteEndpoint,
  RouteRule,
  Snapshot,
  SshRules,
} from "../snapshot.ts";
import { authRule, type Believing } from "./compile_auth.ts";
import { type Configuration, LOG_LEVELS, type LogLevel } from "./configuration.ts";
import type { ListenerConfiguration, RouteConfiguration } from "./configuration.ts";
import type { Credentials } from "./credentials.ts";

/** Which rows of shared memory belong to whom: kept from one snapshot to the next. */
export interface Numbering {
  readonly listeners: Numbers;
  readonly reserved: Numbers;
  readonly endpoints: Numbers;
}

export const makeNumbering = (): Numbering => ({
  listeners: new Numbers("listener", MOST_LISTENERS),
  reserved: new Numbers("reserved protocol", MOST_RESERVED),
  endpoints: new Numbers("endpoint", MOST_ENDPOINTS),
});

/** What a snapshot has besides the configuration. */
export interface Compiling {
  readonly version: number;
  readonly numbering: Numbering;
  /** Digests of passwords, by listener and user. */
  readonly users: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Under which engines know a set of users. */
  readonly setName: Believing["setName"];
  readonly digestsOf: Believing["digestsOf"];
  /** `auto` as it was decided. */
  readonly format: LogFormat;
  /** Keys and roots of the files that the configuration names. */
  readonly credentials: Credentials;
  /** Certificates that an authority issued, or will. */
  readonly issued: readonly CertificateRule[];
  /** Where a listener speaks SSH. */
  readonly ssh?: SshRules;
}

/** Rows that nothing of this snapshot has are free for others, unless somebody is counted there. */
export function freeNumbers(
  numbering: Numbering,
  { listeners, reserved, routes }: Snapshot,
  busy: { readonly limits: ConnectionLimits; readonly health: EndpointHealth },
): void {
  const { limits, health } = busy;
  numbering.listeners.keep(new Set(Object.keys(listeners)), (number) => limits.ofListener(number) === 0);
  const kept = new Set(reserved.map(({ protocol }) => protocol));
  numbering.reserved.keep(kept, (number) => limits.ofReserved(number) === 0);
  const endpoints = new Set(
    routes.flatMap((route) => route.to.map((endpoint) => rowName(endpoint, route))),
  );
  for (const row of numbering.endpoints.keep(endpoints, (row) => health.load(row) === 0)) health.reset(row);
}

const NO_CREDENTIALS: Credentials = { keyPairs: [], roots: {}, upstreams: {} };

/** As Compiling, for who only looks at it. */
const ALONE = (): Compiling => ({
  version: 1,
  numbering: makeNumbering(),
  users: {},
  setName: () => "",
  digestsOf: () => ({}),
  format: "json",
  credentials: NO_CREDENTIALS,
  issued: [],
});

/** Plain data. Throws GateError where there is more than the tables hold. */
export function compileSnapshot(config: Configuration, compiling = ALONE()): Snapshot {
  const { routes, listeners, policy, certificates, issuers, limits, log } = config;
  const { version, numbering, users, setName, digestsOf, format, credentials, issued, ssh } = compiling;
  const labels = routeLabels(routes), believing = { setName, digestsOf, issuers };
  return {
    version,
    listeners: Object.fromEntries(
      Object.values(listeners).map((listener) => {
        const { name } = listener;
        const rules = listenerRules(listener, numbering.listeners.of(name), users[name]);
        return [name, { ...rules, clientCertificates: clientRule(listener, credentials) }];
      }),
    ),
    routes: routes.map((route) => {
      return routeRule(route, labels.get(route.place)!, numbering.endpoints, credentials, believing);
    }),
    policy,
    certificates: [
      ...certificates.map(({ place, names, notAfter, digest }, i) => {
        const { chain, key, der } = credentials.keyPairs[i] ?? { chain: "", key: "" };
        return { place, names, notAfter, digest, chain, key, der };
      }),
      ...issued,
    ],
    limits,
    reserved: Object.entries(limits.reserve).map(([protocol, slots]) => (
      { protocol, slots, number: numbering.reserved.of(protocol) }
    )),
    log: { format, connections: logs(log.level, "info"), layers: logs(log.level, "debug") },
    ssh,
    own: ownAddresses(config),
    hostAddresses: hostAddresses(config),
    domain: config.node.domain || NODE_SUFFIXES[0],
    ownName: config.node.domain === ""
      ? undefined
      : `${config.node.name.toLowerCase()}.${config.node.domain}`,
    keys: config.ssh.digest ?? "",
    roots: credentials.node?.roots,
    ...config.through && { through: config.through },
  };
}

/** Whether a log of this level has lines of that one. */
export const logs = (level: LogLevel, line: LogLevel): boolean =>
  LOG_LEVELS.indexOf(line) >= LOG_LEVELS.indexOf(level);

function listenerRules(
  listener: ListenerConfiguration,
  number: number,
  digests: Readonly<Record<string, string>> | undefined,
): ListenerRules {
  const { name, addresses, protocols, fallback, sniffTimeout, users, limits } = listener;
  return {
    name,
    number,
    addresses: addresses.map(formatTarget),
    protocols,
    fallback,
    sniffTimeout,
    asksUser: users !== undefined,
    users: users && digests,
    proxyProtocol: listener.proxyProtocol,
    trustedProxies: listener.trustedProxies,
    connections: limits.connections,
    perSource: limits.perSource,
  };
}

function clientRule(
  { name, clientCertificates }: ListenerConfiguration,
  { roots }: Credentials,
): ListenerRules["clientCertificates"] {
  if (!clientCertificates) return undefined;
  const { require, digest = "" } = clientCertificates;
  return { require, digest, roots: roots[name] ?? "" };
}

/**
 * Routes to one target share its row: loads and failed dials are the target's, not the route's. Where routes check it
 * they share another one, or a check that is taken away would leave its last word for ever; and so where they believe
 * somebody else there.
 */
function routeRule(
  route: RouteConfiguration,
  label: string,
  endpoints: Numbers,
  credentials: Credentials,
  believing: Believing,
): RouteRule {
  const upstreamTls = upstreamRule(route, credentials);
  const { upstreamTls: _files, http: asked, ...written } = route;
  const http = asked && { ...asked, auth: asked.auth && authRule(asked.auth, route.path, believing) };
  const rule = { ...written, ...upstreamTls && { upstreamTls }, ...http && { http } };
  const to = route.to.map(({ http: _handled, ...endpoint }) => {
    return { ...endpoint, health: endpoints.of(rowName(endpoint, rule)) };
  });
  return { ...rule, label, to };
}

function upstreamRule(
  { place, upstreamTls }: RouteConfiguration,
  { upstreams }: Credentials,
): RouteRule["upstreamTls"] {
  if (!upstreamTls) return undefined;
  const { digest = "", serverName, insecure } = upstreamTls;
  return { digest, serverName, insecure, ...upstreams[place] };
}

function rowName(
  { target, secure }: Pick<RouteEndpoint, "target" | "secure">,
  { check, host = "", upstreamTls }: Pick<RouteRule, "check" | "host" | "upstreamTls">,
): string {
  const believing = secure ? ` tls ${upstreamTls?.digest ?? ""}` : "";
  const asked = check?.path === undefined ? "" : ` at ${host}${check.path}`;
  return `${formatTarget(target)}${believing}${check ? ` checked${asked}` : ""}`;
}

/** Before anything is bound: a port 0 is for whoever binds it to replace. */
function ownAddresses({ listeners, admin }: Configuration): Target[] {
  const pages = [admin.address, admin.metrics].filter((address) => address !== undefined);
  return [...Object.values(listeners).flatMap(({ addresses }) => addresses), ...pages];
}

function hostAddresses({ hosts }: Configuration): string[] {
  const given = Object.values(hosts).filter(({ addresses }) => addresses.length > 0);
  return given.flatMap((
    { name, addresses },
  ) => [normalName(name) ?? name, ...addresses.map(({ host }) => host)]);
}
