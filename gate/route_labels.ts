/** What metrics call a route: by what it matches, for the line it stands in changes with every edit above it. */
import type { PathMatch, RouteRule } from "./snapshot.ts";

type Labelled = Pick<
  RouteRule,
  "place" | "listener" | "protocol" | "host" | "path" | "method" | "headers" | "query"
>;

/**
 * By the route's place: `listener=edge protocol=tls host=*.example.com path=/api`, of these what the route has, or `*`
 * where it has none. Where that would be the same for several of them, their places.
 */
export function routeLabels(routes: readonly Labelled[]): ReadonlyMap<string, string> {
  const byLabel = Map.groupBy(routes, labelOf);
  return new Map(
    [...byLabel].flatMap(([label, same]) =>
      same.map(({ place }) => [place, same.length === 1 ? label : place] as const)
    ),
  );
}

/** What a route matches by: the same over reloads, wherever it stands and whatever else of it changes. */
export function matchedBy(route: RouteRule): string {
  const { listener, protocol, host, path, encodedSlash, method, headers, query } = route;
  return JSON.stringify({ listener, protocol, host, path, encodedSlash, method, headers, query });
}

function labelOf({ listener, protocol, host, path, method, headers, query }: Labelled): string {
  const given = { listener, protocol, host, path: path && pathOf(path), method: method?.join() };
  const pairs: [string, string | undefined][] = [
    ...Object.entries(given),
    ...headers?.map(({ name, value }): [string, string] => [`header:${name}`, value]) ?? [],
    ...query?.map(({ name, value }): [string, string] => [`query:${name}`, value]) ?? [],
  ];
  return pairs.flatMap(([key, value]) => value === undefined ? [] : `${key}=${value}`).join(" ") || "*";
}

function pathOf(path: PathMatch): string {
  if ("prefix" in path) return path.prefix;
  return "exact" in path ? `exact:${path.exact}` : `regex:${path.regex}`;
}
