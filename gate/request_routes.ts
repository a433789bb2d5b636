/** Which route a request takes: of those that match its listener and host, the first of the file that matches its path. */
import type { Asking } from "./asking.ts";
import { hostMatches } from "./address.ts";
import { GateError } from "./errors.ts";
import { normalPath, pathMatches } from "./request_path.ts";
import type { RouteRule } from "./snapshot.ts";

/** Hosts whose routes are remembered; more than that are asked for by who guesses names. */
const MOST_REMEMBERED = 1024;

/** The routes of one host. */
interface Candidates {
  readonly routes: readonly RouteRule[];
  readonly byPath: boolean;
}

/** The routes that handle requests, in the order of the file. */
export class RequestRoutes {
  /** By host pattern; "" for any host. */
  readonly #patterns = new Map<string, RouteRule[]>();
  readonly #order = new Map<RouteRule, number>();
  readonly #listeners = new Set<string | undefined>();
  /** By listener and name. */
  #remembered = new Map<string, Map<string, Candidates>>();
  #count = 0;

  /** In the order of the file. */
  add(route: RouteRule): void {
    const host = route.host ?? "", there = this.#patterns.get(host);
    this.#order.set(route, this.#order.size);
    this.#listeners.add(route.listener);
    if (there) there.push(route);
    else this.#patterns.set(host, [route]);
  }

  /** Whether requests that come in there are handled one by one. */
  handles(listener: string): boolean {
    return this.#listeners.has(listener) || this.#listeners.has(undefined);
  }

  /**
   * `name` in normal form; undefined: none, or an address. Throws "malformed" where routes of that host match by path,
   * and this one can be read in several ways.
   */
  match({ listener, path = "/" }: Asking, name = ""): RouteRule | undefined {
    const { routes, byPath } = this.#remembered.get(listener)?.get(name) ?? this.#candidates(listener, name);
    if (!byPath) return routes[0];
    const normal = normalPath(path);
    if (normal === undefined) {
      throw new GateError(
        "malformed",
        "client",
        "Cannot route a request: its path can be read in several ways",
      );
    }
    return routes.find((route) => route.path === undefined || pathMatches(route.path, normal));
  }

  #candidates(listener: string, name: string): Candidates {
    const routes = patternsOf(name).flatMap((pattern) => this.#patterns.get(pattern) ?? [])
      .filter((route) => route.listener === undefined || route.listener === listener)
      .sort((a, b) => this.#order.get(a)! - this.#order.get(b)!);
    const candidates = { routes, byPath: routes.some(({ path }) => path !== undefined) };
    if (this.#count++ === MOST_REMEMBERED) {
      this.#remembered = new Map();
      this.#count = 1;
    }
    const there = this.#remembered.get(listener);
    if (there) there.set(name, candidates);
    else this.#remembered.set(listener, new Map([[name, candidates]]));
    return candidates;
  }
}

/** Every pattern that covers the name. */
function patternsOf(name: string): string[] {
  const patterns = ["", "*"];
  if (name === "") return patterns;
  patterns.push(name);
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    patterns.push(`*${name.slice(dot)}`);
  }
  return patterns;
}

/** Why a route that handles requests is not for this one; undefined: it is. */
export function requestMiss(route: RouteRule, asking: Asking, name: string | undefined) {
  if (route.listener !== undefined && route.listener !== asking.listener) return "listener";
  if (route.host !== undefined && route.host !== "*" && (!name || !hostMatches(route.host, name))) {
    return "host";
  }
  const normal = normalPath(asking.path ?? "/");
  return route.path && (normal === undefined || !pathMatches(route.path, normal)) ? "path" : undefined;
}
