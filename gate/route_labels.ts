/** What metrics call a route: by what it matches, for the line it stands in changes with every edit above it. */
import type { RouteRule } from "./snapshot.ts";

/**
 * By the route's place: `listener=edge protocol=tls host=*.example.com`, of these what the route has, or `*` where it
 * has none. Where that would be the same for several of them, their places.
 */
export function routeLabels(routes: readonly RouteRule[]): ReadonlyMap<string, string> {
  const byLabel = Map.groupBy(routes, labelOf);
  return new Map(
    [...byLabel].flatMap(([label, same]) =>
      same.map(({ place }) => [place, same.length === 1 ? label : place] as const)
    ),
  );
}

function labelOf({ listener, protocol, host }: RouteRule): string {
  const given = Object.entries({ listener, protocol, host }).filter(([, value]) => value !== undefined);
  return given.map(([key, value]) => `${key}=${value}`).join(" ") || "*";
}
