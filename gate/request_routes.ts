/** Which route a request takes: of those for its listener and host, the first of the file that matches the rest of it. */
import type { Asking } from "./asking.ts";
import { hostMatches } from "./address.ts";
import type { Requested } from "./requests.ts";
import { GateError, telling } from "./errors.ts";
import { isPlainPath, pathMatches, readingsOf } from "./request_path.ts";
import type { RouteRule } from "./snapshot.ts";

/** Hosts whose routes are remembered; more than that are asked for by who guesses names. */
const MOST_REMEMBERED = 1024;

/** The routes of one host. */
interface Candidates {
  readonly routes: readonly RouteRule[];
  readonly byPath: boolean;
  /** What takes them all: nothing of the request has to be looked at. */
  readonly only: RouteRule | undefined;
}

/** What a route asks for and a request has not: the key of the route, or the name of the header or the parameter. */
export type RequestMiss = "listener" | "host" | "path" | "method" | `header ${string}` | `query ${string}`;

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
   * and this one can be read in several ways that lead to different routes, or into the unknown.
   */
  match({ listener, request }: Asking, name = ""): RouteRule | undefined {
    const candidates = this.#remembered.get(listener)?.get(name) ?? this.#candidates(listener, name);
    if (candidates.only) return candidates.only;
    const { routes, byPath } = candidates;
    const path = request?.path ?? "/";
    return !byPath || isPlainPath(path)
      ? firstOf(routes, request, path, path)
      : firstOfReadings(routes, request, path);
  }

  #candidates(listener: string, name: string): Candidates {
    const routes = patternsOf(name).flatMap((pattern) => this.#patterns.get(pattern) ?? [])
      .filter((route) => route.listener === undefined || route.listener === listener)
      .sort((a, b) => this.#order.get(a)! - this.#order.get(b)!);
    const byPath = routes.some(({ path }) => path !== undefined);
    const only = !byPath && routes.length > 0 && !asksMore(routes[0]) ? routes[0] : undefined;
    const candidates = { routes, byPath, only };
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

/** `kept` and `decoded` as a Reading has them. */
function firstOf(
  routes: readonly RouteRule[],
  request: Requested | undefined,
  kept: string,
  decoded: string,
): RouteRule | undefined {
  for (const route of routes) {
    const { path } = route;
    if (path && !pathMatches(path, route.encodedSlash === "keep" ? kept : decoded)) continue;
    if (!asksMore(route) || missOfRest(route, request) === undefined) return route;
  }
  return undefined;
}

/** The route to which every reading of the path leads; an encoded slash only to one that keeps it. */
function firstOfReadings(
  routes: readonly RouteRule[],
  request: Requested | undefined,
  path: string,
): RouteRule | undefined {
  const readings = readingsOf(path);
  if (!readings) throw doubt("it has dot segments, a backslash, NUL or a broken escape");
  const [route, ...others] = readings.all.map(({ kept, decoded }) => firstOf(routes, request, kept, decoded));
  const other = others.findIndex((way) => way !== route);
  if (other >= 0) throw doubt(`it leads to ${placeOf(route)} or to ${placeOf(others[other])}`);
  if (readings.encodedSlash && route?.encodedSlash !== "keep") {
    throw doubt(`it has an encoded slash, and ${placeOf(route)} keeps none`);
  }
  return route;
}

const placeOf = (route: RouteRule | undefined): string => route?.place ?? "no route";

function doubt(why: string): GateError {
  const state = "its path can be read in several ways";
  return telling(state, new GateError("malformed", "client", `Cannot route a request: ${state}, for ${why}`));
}

const asksMore = ({ method, headers, query }: RouteRule): boolean =>
  method !== undefined || headers !== undefined || query !== undefined;

/** Beside listener, host and path. An absent request has nothing that could be asked for. */
function missOfRest(
  { method, headers, query }: RouteRule,
  request: Requested | undefined,
): RequestMiss | undefined {
  if (method && !(request && method.includes(request.method))) return "method";
  const header = headers?.find(({ name, value }) => request?.header(name) !== value);
  if (header) return `header ${header.name}`;
  const parameter = query?.find(({ name, value }) => request?.query(name) !== value);
  return parameter && `query ${parameter.name}`;
}

/** Why a route that handles requests is not for this one; undefined: it is, in one of the readings of its path. */
export function requestMiss(
  route: RouteRule,
  { listener, request }: Asking,
  name: string | undefined,
): RequestMiss | undefined {
  if (route.listener !== undefined && route.listener !== listener) return "listener";
  if (route.host !== undefined && route.host !== "*" && (!name || !hostMatches(route.host, name))) {
    return "host";
  }
  return isOnPath(route, request?.path ?? "/") ? missOfRest(route, request) : "path";
}

function isOnPath({ path, encodedSlash }: RouteRule, asked: string): boolean {
  const readings = path && readingsOf(asked);
  if (!path || !readings) return !path;
  return (encodedSlash === "keep" || !readings.encodedSlash) && pathMatches(path, readings.normal);
}
