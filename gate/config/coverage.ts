/** What routes take of the connections that come in, and what they leave to those behind them. */
import type { Protocols } from "../contracts.ts";
import type { NamedValue } from "../snapshot.ts";
import type { RouteMatch } from "./left_out.ts";
import { hasPaths } from "./path_coverage.ts";

/** One kind of connection: a protocol on a listener, or on every one that speaks it. */
export interface Kind {
  readonly listener?: string;
  readonly protocol: string;
}

/** The names of the listeners that speak a protocol. */
export type Speakers = ReadonlyMap<string, readonly string[]>;

/** What the routes before take, by kind: look-ups instead of comparing each with each. */
export class Coverage {
  /** Kind -> host pattern -> place; "" for routes that take every connection of the kind. */
  readonly #kinds = new Map<string, Map<string, string>>();
  /** Kind -> host pattern -> routes that take only some requests of it. */
  readonly #choosy = new Map<string, Map<string, RouteMatch[]>>();

  constructor(readonly speakers: Speakers) {}

  /** The place of an earlier route that leaves this one nothing, if every kind of it is taken. */
  add(route: RouteMatch, kinds: readonly Kind[], protocols: Protocols): string | undefined {
    let earlier: string | undefined;
    let left = kinds.length === 0;
    for (const kind of kinds) {
      const taken = this.#taken(kind) ?? new Map<string, string>();
      this.#kinds.set(keyOf(kind), taken);
      const host = hostOf(route, kind, protocols);
      const by = this.#earlier(kind, host) ?? this.#earlierChoosy(kind, host, route);
      if (by === undefined) left = true;
      earlier ??= by;
      if (isChoosy(route)) this.#addChoosy(kind, host, route);
      else if (!taken.has(host)) taken.set(host, route.place);
    }
    return left ? undefined : earlier;
  }

  #addChoosy(kind: Kind, host: string, route: RouteMatch): void {
    const key = keyOf(kind), hosts = this.#choosy.get(key) ?? new Map<string, RouteMatch[]>();
    this.#choosy.set(key, hosts);
    const there = hosts.get(host);
    if (there) there.push(route);
    else hosts.set(host, [route]);
  }

  /** By a route of this listener or of all, whose hosts and requests have all of these. */
  #earlierChoosy({ listener, protocol }: Kind, host: string, route: RouteMatch): string | undefined {
    if (!isChoosy(route)) return undefined;
    for (const kind of listener === undefined ? [{ protocol }] : [{ protocol }, { listener, protocol }]) {
      const hosts = this.#choosy.get(keyOf(kind));
      for (const pattern of hosts ? patternsOver(host) : []) {
        const by = hosts?.get(pattern)?.find((earlier) => hasRequests(earlier, route));
        if (by) return by.place;
      }
    }
    return undefined;
  }

  /** Whether earlier routes take all that this one would of the kind. */
  covers(kind: Kind, route: RouteMatch, protocols: Protocols): boolean {
    return this.#earlier(kind, hostOf(route, kind, protocols)) !== undefined;
  }

  has(kind: Kind): boolean {
    return this.#taken(kind) !== undefined || this.#taken({ protocol: kind.protocol }) !== undefined;
  }

  #taken(kind: Kind): Map<string, string> | undefined {
    return this.#kinds.get(keyOf(kind));
  }

  /** By routes of every listener, or those of this one; where it is for every listener, by those of each. */
  #earlier({ listener, protocol }: Kind, host: string): string | undefined {
    const general = coveredBy(host, this.#taken({ protocol }));
    if (general !== undefined || listener !== undefined) {
      return general ?? coveredBy(host, this.#taken({ listener, protocol }));
    }
    let first: string | undefined;
    for (const speaker of this.speakers.get(protocol) ?? []) {
      const own = coveredBy(host, this.#taken({ listener: speaker, protocol }));
      if (own === undefined) return undefined;
      first ??= own;
    }
    return first;
  }
}

/** Whether it takes some requests of its hosts, and leaves others. */
const isChoosy = ({ path, method, headers, query }: RouteMatch): boolean =>
  [path, method, headers, query].some((key) => key !== undefined);

/** Whether the first route takes every request that the second would, of the same host. */
function hasRequests(all: RouteMatch, some: RouteMatch): boolean {
  return (!all.path || (some.path !== undefined && hasPaths(all.path, some.path))) &&
    (!all.method ||
      (some.method ?? []).length > 0 && some.method!.every((one) => all.method!.includes(one))) &&
    isAskedBy(all.headers, some.headers) && isAskedBy(all.query, some.query);
}

/** Whether each of these is asked for by the other too. */
const isAskedBy = (these: readonly NamedValue[] = [], other: readonly NamedValue[] = []): boolean =>
  these.every(({ name, value }) => other.some((one) => one.name === name && one.value === value));

/** `*` covers even connections without a name, but for targets that are addresses. */
function hostOf({ host = "" }: RouteMatch, { protocol }: Kind, protocols: Protocols): string {
  return host === "*" && protocols[protocol].naming !== "target" ? "" : host;
}

function keyOf({ listener = "", protocol }: Kind): string {
  return `${listener} ${protocol}`;
}

/** The first of the patterns that cover a host whose connections are all taken. */
function coveredBy(host: string, taken: ReadonlyMap<string, string> | undefined): string | undefined {
  return taken && patternsOver(host).map((pattern) => taken.get(pattern)).find((by) => by !== undefined);
}

/** No host, the pattern itself, and the wildcards above it. */
function patternsOver(host: string): string[] {
  const patterns = host === "" ? [""] : ["", host];
  if (host === "") return patterns;
  const first = host.startsWith("*.") ? 2 : 0;
  for (let dot = host.indexOf(".", first); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    patterns.push(`*${host.slice(dot)}`);
  }
  return [...patterns, "*"];
}
