/** What can still be said of maps that are left out for a mistake: by those of their keys that are right. */
import type { PolicyRule } from "../snapshot.ts";
import type { ListenerConfiguration, RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import { areRight, type Located, type Part, readRightKeys } from "./read.ts";
import { REQUEST_KEYS, route as routeSchema } from "./route_schema.ts";
import * as schema from "./schema.ts";
import { backendsOf, requestMatch, routedHost } from "./sections.ts";
import { type Node, nodeAt, type Path } from "./tree.ts";

type Right<T, K extends keyof T> = Located<Partial<Pick<T, K>>>;

/** Absent: not written, or wrong. */
export function rightOfListener(
  path: Path,
  findings: Findings,
): Right<ListenerConfiguration, "addresses" | "protocols" | "fallback" | "users"> {
  const { address, protocols, fallback, users } = readRightKeys(schema.listener.shape, path, findings);
  return { path, value: { addresses: address, protocols, fallback, users } };
}

/** The keys that decide which connections and requests a route takes. */
const MATCHING = [
  ...["listener", "protocol", "host", "tls"],
  ...["path", "encodedSlash", "method", "headers", "query"],
];

/** What decides which connections a route takes; and where they go, where that is right too. */
export type RouteMatch =
  & Pick<RouteConfiguration, "place" | "listener" | "protocol" | "host" | "tls" | "http">
  & Pick<RouteConfiguration, "path" | "encodedSlash" | "method" | "headers" | "query">
  & Partial<Pick<RouteConfiguration, "to">>;

/** Every route in its order, of which it is certain what it takes: plain forwards first. */
export function routeMatches(
  routes: Part<Located<RouteConfiguration>[]>,
  findings: Findings,
): Part<Located<RouteMatch>[]> {
  const { shape } = routeSchema;
  const matches: Located<RouteMatch>[] = [...routes.items];
  const unclear: Path[] = [];
  for (const path of routes.leftOut) {
    const { listener, protocol, host, tls, to, ...keys } = readRightKeys(shape, path, findings);
    const written = REQUEST_KEYS.some((key) => nodeAt(findings.root, [...path, key]));
    const schemes = to === undefined ? schemesIn(nodeAt(findings.root, [...path, "to"])) : [];
    // Targets decide whether it is for requests: of these nobody knows.
    const hidden = !written && schemes.some((scheme) => !HANDLED.has(scheme));
    if (hidden || !areRight(shape, MATCHING, path, findings)) unclear.push(path);
    else {
      const backends = to && backendsOf(to);
      const handled = written || schemes.length > 0 || backends?.some((one) => one.http);
      const http = handled ? {} : undefined;
      const match = {
        place: findings.locate(path),
        ...{ listener, protocol, tls, http },
        host: routedHost({ host, tls }),
        ...requestMatch(keys),
      };
      matches.push({ path, value: { ...match, to: backends } });
    }
  }
  const order = ({ path: [section, i] }: Located<RouteMatch>) => section === "routes" ? Number(i) : -1;
  const lost = routes.leftOut.length === 0 && !routes.whole; // the section itself is broken, or a listener
  return {
    whole: unclear.length === 0 && !lost,
    items: matches.sort((a, b) => order(a) - order(b)),
    leftOut: unclear,
  };
}

const HANDLED: ReadonlySet<string> = new Set(["http", "https"]);

/** Those that are written of a route's targets, in lower case. */
function schemesIn(node: Node | undefined): string[] {
  if (node?.kind === "list") return node.items.flatMap(schemesIn);
  if (node?.kind === "map") return schemesIn(node.entries.get("to")?.value);
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(node?.text ?? "") ?? [];
  return scheme === undefined ? [] : [scheme.toLowerCase()];
}

/** Every rule of which it is certain whom it may meet, in their order. */
export function ruleMatches(policy: Part<Located<PolicyRule>[]>, findings: Findings): Located<PolicyRule>[] {
  const left = policy.leftOut.flatMap((path) => matchOfRule(path, findings) ?? []);
  return [...policy.items, ...left];
}

function matchOfRule(path: Path, findings: Findings): Located<PolicyRule> | undefined {
  const { shape } = schema.matches;
  const node = nodeAt(findings.root, path);
  const [verdict, ...others] = node?.kind === "map" ? node.entries.keys() : [];
  if (others.length > 0 || (verdict !== "allow" && verdict !== "deny")) return undefined;
  const at = [...path, verdict];
  if (!areRight(shape, ["listener", "protocol", "user", "identity", "sources"], at, findings)) {
    return undefined;
  }
  return { path, value: { place: findings.locate(path), verdict, ...readRightKeys(shape, at, findings) } };
}
