/** Routes that cannot match, and connections that nothing routes. */
import type { Naming, Protocols } from "../contracts.ts";
import type { ListenerConfiguration, RouteConfiguration } from "./configuration.ts";
import { knownProtocol } from "./check_listeners.ts";
import type { Findings } from "./problems.ts";
import type { Located, Part } from "./read.ts";
import { suggestion } from "./suggest.ts";
import { nodeAt, type Path } from "./tree.ts";

type Listeners = Part<Map<string, Located<ListenerConfiguration>>>;

/** One kind of connection: a protocol on a listener. */
interface Kind {
  readonly listener: string;
  readonly protocol: string;
}

/** Reports a listener that there is not. */
export function knownListener(name: string, path: Path, findings: Findings): boolean {
  const section = nodeAt(findings.root, ["listeners"]);
  const names = section?.kind === "map" ? Array.from(section.entries.keys()) : [];
  if (names.includes(name)) return true;
  findings.error(path, `there is no listener ${findings.written(path)}${suggestion(name, names)}`);
  return false;
}

export function checkRoutes(
  routes: Part<Located<RouteConfiguration>[]>,
  listeners: Listeners,
  protocols: Protocols,
  findings: Findings,
): void {
  const covered = new Coverage();
  const known = routes.items.filter((route) => isKnown(route, protocols, findings));
  for (const { path, value } of known) {
    const kinds = kindsOf(value, listeners, protocols);
    const earlier = covered.add(value, kinds, protocols);
    const certain = value.listener === undefined ? listeners.whole : listeners.items.has(value.listener);
    if (!certain) continue;
    if (kinds.length === 0) findings.error(path, `can never match: ${whyNever(value, listeners, protocols)}`);
    else if (earlier) findings.error(path, `can never match: ${earlier} takes all of it before`);
  }
  if (routes.whole && known.length === routes.items.length) {
    checkUnrouted(covered, listeners, protocols, findings);
  }
}

/** Whether the listener and the protocol of a route are there; those of a plain forward are. */
function isKnown(
  { path, value }: Located<RouteConfiguration>,
  protocols: Protocols,
  findings: Findings,
): boolean {
  if (path[0] === "listeners") return true;
  const { protocol, listener } = value;
  const speaks = protocol === undefined ||
    knownProtocol(protocol, [...path, "protocol"], protocols, findings);
  return (listener === undefined || knownListener(listener, [...path, "listener"], findings)) && speaks;
}

/** What comes in and names no target needs a route. */
function checkUnrouted(
  covered: Coverage,
  listeners: Listeners,
  protocols: Protocols,
  findings: Findings,
): void {
  for (const { path, value: { name: listener, protocols: listed } } of listeners.items.values()) {
    const proxy = listed.some((name) => protocols[name].naming === "target");
    for (const protocol of listed) {
      if (covered.has({ listener, protocol })) continue;
      const { naming, sniff } = protocols[protocol];
      if (sniff === undefined && naming === "nothing") {
        const needed = `a route { listener: ${listener}, to: ... }, or to in place of protocols`;
        findings.error(path, `[${protocol}] needs ${needed}`);
      } else if (naming === "nothing" || (naming === "host" && !proxy)) {
        findings.warn(path, `no route takes ${protocol}: such connections are closed`);
      }
    }
  }
}

/** The kinds of connections a route is asked about: as gate/match.ts matches them. */
function kindsOf(route: RouteConfiguration, listeners: Listeners, protocols: Protocols): Kind[] {
  const kinds: Kind[] = [];
  for (const [name, { value }] of listeners.items) {
    if (route.listener !== undefined && route.listener !== name) continue;
    for (const protocol of value.protocols) {
      if (takes(route, protocol, protocols[protocol].naming)) kinds.push({ listener: name, protocol });
    }
  }
  return kinds;
}

function takes(route: RouteConfiguration, protocol: string, naming: Naming): boolean {
  if (route.protocol === undefined ? naming === "target" || naming === "host" : route.protocol !== protocol) {
    return false;
  }
  return route.host === undefined || naming !== "nothing";
}

function whyNever(
  { listener, protocol, host }: RouteConfiguration,
  listeners: Listeners,
  protocols: Protocols,
) {
  const lacks = (what: string) =>
    listener === undefined ? `no listener has ${what}` : `${listener} has no ${what}`;
  if (protocol !== undefined) {
    const named = host === undefined || protocols[protocol].naming !== "nothing";
    return named ? lacks(protocol) : `${protocol} names no host`;
  }
  const byName = Object.keys(protocols).filter((name) => protocols[name].naming === "serverName").join(", ");
  if (host !== undefined) return `a host without protocol is for ${byName}, and ${lacks(byName)}`;
  const spoken = Array.from(listeners.items.values(), ({ value }) => value)
    .filter(({ name }) => listener === undefined || listener === name).flatMap((value) => value.protocols);
  return `for ${Array.from(new Set(spoken)).join(", ")} a route has to name the protocol`;
}

/** What the routes before take, by kind: look-ups instead of comparing each with each. */
class Coverage {
  /** Kind -> host pattern -> place; "" for routes that take every connection of the kind. */
  readonly #kinds = new Map<string, Map<string, string>>();

  /** The place of an earlier route that leaves this one nothing, if every kind of it is taken. */
  add(route: RouteConfiguration, kinds: readonly Kind[], protocols: Protocols): string | undefined {
    let earlier: string | undefined;
    let left = kinds.length === 0;
    for (const kind of kinds) {
      const key = `${kind.listener} ${kind.protocol}`;
      const taken = this.#kinds.get(key) ?? new Map<string, string>();
      this.#kinds.set(key, taken);
      // `*` covers even connections without a name, but for targets that are addresses.
      const all = route.host === undefined ||
        (route.host === "*" && protocols[kind.protocol].naming !== "target");
      const host = all ? "" : route.host!;
      const by = coveredBy(host, taken);
      if (by === undefined) left = true;
      earlier ??= by;
      if (!taken.has(host)) taken.set(host, route.place);
    }
    return left ? undefined : earlier;
  }

  has(kind: Kind): boolean {
    return this.#kinds.has(`${kind.listener} ${kind.protocol}`);
  }
}

/** A route without a host, the pattern itself, or a wildcard above it. */
function coveredBy(host: string, taken: ReadonlyMap<string, string>): string | undefined {
  let by = taken.get("") ?? taken.get(host);
  if (host === "") return by;
  const first = host.startsWith("*.") ? 2 : 0;
  for (let dot = host.indexOf(".", first); by === undefined && dot >= 0; dot = host.indexOf(".", dot + 1)) {
    by = taken.get(`*${host.slice(dot)}`);
  }
  return by ?? taken.get("*");
}
