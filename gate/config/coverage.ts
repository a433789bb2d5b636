/** What routes take of the connections that come in, and what they leave to those behind them. */
import type { Protocols } from "../contracts.ts";
import { pathMatches } from "../request_path.ts";
import type { PathMatch } from "../snapshot.ts";
import type { RouteMatch } from "./left_out.ts";

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
  /** Kind and host pattern -> what routes by path take of it. */
  readonly #paths = new Map<string, { readonly path: PathMatch; readonly place: string }[]>();

  constructor(readonly speakers: Speakers) {}

  /** The place of an earlier route that leaves this one nothing, if every kind of it is taken. */
  add(route: RouteMatch, kinds: readonly Kind[], protocols: Protocols): string | undefined {
    let earlier: string | undefined;
    let left = kinds.length === 0;
    for (const kind of kinds) {
      const taken = this.#taken(kind) ?? new Map<string, string>();
      this.#kinds.set(keyOf(kind), taken);
      const host = hostOf(route, kind, protocols);
      const by = this.#earlier(kind, host) ?? this.#earlierPath(kind, host, route.path);
      if (by === undefined) left = true;
      earlier ??= by;
      if (route.path) this.#addPath(kind, host, route.path, route.place);
      else if (!taken.has(host)) taken.set(host, route.place);
    }
    return left ? undefined : earlier;
  }

  #addPath(kind: Kind, host: string, path: PathMatch, place: string): void {
    const key = `${keyOf(kind)} ${host}`, there = this.#paths.get(key);
    if (there) there.push({ path, place });
    else this.#paths.set(key, [{ path, place }]);
  }

  /** By a route of the same kind and host whose paths have all of these. */
  #earlierPath(kind: Kind, host: string, path: PathMatch | undefined): string | undefined {
    const paths = path && this.#paths.get(`${keyOf(kind)} ${host}`);
    return paths?.find((earlier) => hasPaths(earlier.path, path!))?.place;
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

function hasPaths(all: PathMatch, some: PathMatch): boolean {
  return "prefix" in some ? "prefix" in all && pathMatches(all, some.prefix) : pathMatches(all, some.exact);
}

/** `*` covers even connections without a name, but for targets that are addresses. */
function hostOf({ host = "" }: RouteMatch, { protocol }: Kind, protocols: Protocols): string {
  return host === "*" && protocols[protocol].naming !== "target" ? "" : host;
}

function keyOf({ listener = "", protocol }: Kind): string {
  return `${listener} ${protocol}`;
}

/** A route without a host, the pattern itself, or a wildcard above it. */
function coveredBy(host: string, taken: ReadonlyMap<string, string> | undefined): string | undefined {
  if (taken === undefined) return undefined;
  let by = taken.get("") ?? taken.get(host);
  if (host === "") return by;
  const first = host.startsWith("*.") ? 2 : 0;
  for (let dot = host.indexOf(".", first); by === undefined && dot >= 0; dot = host.indexOf(".", dot + 1)) {
    by = taken.get(`*${host.slice(dot)}`);
  }
  return by ?? taken.get("*");
}
