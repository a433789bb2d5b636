/** What metrics call a route: by what it matches, for the line it stands in changes with every edit above it. */
import type { PathMatch, RouteRule } from "./snapshot.ts";

type Labelled = Pick<RouteRule, "place" | "listener" | "protocol" | "host" | "path">;

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

function labelOf({ listener, protocol, host, path }: Labelled): string {
  const given = Object.entries({ listener, protocol, host, path: path && pathOf(path) });
  return given.flatMap(([key, value]) => value === undefined ? [] : `${key}=${value}`).join(" ") || "*";
}

const pathOf = (path: PathMatch): string => "prefix" in path ? path.prefix : `exact:${path.exact}`;
