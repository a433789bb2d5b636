/** Routes that are handled as HTTP, beside their own keys and beside each other. */
import type { Protocols } from "../contracts.ts";
import type { RouteMatch } from "./left_out.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { nodeAt } from "./tree.ts";

/** What says something of requests, and nothing of bytes that go on as they came. */
const REQUEST_KEYS = ["path", "timeout", "bodySize"] as const;

export function checkRequests(
  routes: readonly Located<RouteMatch>[],
  protocols: Protocols,
  findings: Findings,
): void {
  const handled = routes.filter(({ value }) => value.http !== undefined);
  for (const { path, value } of handled) checkHandled(path, value, protocols, findings);
  const places = new Map<string | undefined, string>();
  for (const { value: { listener, place } } of handled) {
    if (!places.has(listener)) places.set(listener, place);
  }
  for (const { path, value } of routes) {
    if (value.http || value.protocol === undefined || protocols[value.protocol]?.naming !== "host") continue;
    const { listener } = value;
    const place = places.get(undefined) ??
      (listener === undefined ? places.values().next().value : places.get(listener));
    if (place !== undefined) {
      findings.error(
        path,
        `passes requests on as they come, and ${place} handles those of the same listener`,
      );
    }
  }
}

function checkHandled(
  path: Located<RouteMatch>["path"],
  { to = [], protocol }: RouteMatch,
  protocols: Protocols,
  findings: Findings,
): void {
  const bare = to.filter(({ http }) => !http).length;
  if (to.length > 0 && bare === to.length) {
    for (const key of REQUEST_KEYS) {
      if (nodeAt(findings.root, [...path, key]) !== undefined) {
        findings.errorAtKey([...path, key], "needs a to of http://: bytes that go on as they came have none");
      }
    }
  } else if (bare > 0) {
    findings.error(
      [...path, "to"],
      "is http:// and bare at once: requests are handled, or bytes go on as they came",
    );
  }
  if (protocol !== undefined && Object.hasOwn(protocols, protocol) && protocols[protocol].naming !== "host") {
    findings.error([...path, "protocol"], `${protocol} has no requests to handle as HTTP`);
  }
}
