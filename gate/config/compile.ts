/** The configuration as the engines match it. */
import { formatTarget, normalName } from "../address.ts";
import type { Target } from "../contracts.ts";
import type { ListenerRules, RouteRule, Snapshot } from "../snapshot.ts";
import type { Configuration, ListenerConfiguration, RouteConfiguration } from "./configuration.ts";

/** Plain data. Each distinct target of a route has a row of the health table, numbered from 0 over all routes. */
export function compileSnapshot(config: Configuration, version: number): Snapshot {
  const { routes, listeners, policy, limits } = config;
  const rows = { next: 0 };
  return {
    version,
    listeners: Object.fromEntries(
      Object.entries(listeners).map(([name, rules]) => [name, listenerRules(rules)]),
    ),
    routes: routes.map((route) => routeRule(route, rows)),
    policy,
    limits,
    own: ownAddresses(config),
    hostAddresses: hostAddresses(config),
  };
}

function listenerRules(listener: ListenerConfiguration): ListenerRules {
  const { name, addresses, protocols, fallback, sniffTimeout, users, proxyProtocol, limits } = listener;
  return {
    name,
    addresses: addresses.map(formatTarget),
    protocols,
    fallback,
    sniffTimeout,
    asksUser: users !== undefined,
    proxyProtocol,
    connections: limits.connections,
    perSource: limits.perSource,
  };
}

function routeRule(route: RouteConfiguration, rows: { next: number }): RouteRule {
  const health = new Map<string, number>();
  const to = route.to.map(({ target, weight }) => {
    const key = formatTarget(target);
    if (!health.has(key)) health.set(key, rows.next++);
    return { target, weight, health: health.get(key)! };
  });
  return { ...route, to };
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
