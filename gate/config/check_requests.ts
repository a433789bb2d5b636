/** Routes that are handled as HTTP, beside their own keys and beside each other. */
import type { Protocols } from "../contracts.ts";
import { ACTIONS } from "./filter_schema.ts";
import type { RouteMatch } from "./left_out.ts";
import { variableMeant } from "./meant.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { Mistake, readFieldName } from "./scalars.ts";
import { REQUEST_KEYS } from "./route_schema.ts";
import { nodeAt } from "./tree.ts";

/** Headers by which nothing can be decided: claims that are believed from nobody, and what has a key of its own. */
const CLAIM = /^(?:x-forwarded-(?:client-cert|user|email)|remote-user|client-cert.*)$/;

export function checkRequests(
  routes: readonly Located<RouteMatch>[],
  protocols: Protocols,
  findings: Findings,
): void {
  for (const { path, value } of routes) {
    const asks = [...path, "check", "path"], backends = value.to ?? [];
    if (backends.length > 0 && backends.every(({ http }) => !http) && nodeAt(findings.root, asks)) {
      findings.errorAtKey(asks, "needs a to of http://: others are checked by a connect");
    }
  }
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
  route: RouteMatch,
  protocols: Protocols,
  findings: Findings,
): void {
  checkMatch(path, route, findings);
  const { to = [], protocol } = route;
  if (route.http?.files && route.path && !("prefix" in route.path)) {
    findings.error([...path, "path"], "needs to be a prefix: files are served below it");
  }
  const bare = to.filter(({ http }) => !http).length;
  if (to.length > 0 && bare === to.length) {
    for (const key of REQUEST_KEYS) {
      if (ACTIONS.some((action) => action === key)) continue; // which exclude every `to`
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

/** What a request is matched by: what no request could have, or a client could claim. */
function checkMatch(path: Located<RouteMatch>["path"], route: RouteMatch, findings: Findings): void {
  const { path: match, encodedSlash, headers = [] } = route;
  const written = match && ("exact" in match ? match.exact : "prefix" in match ? match.prefix : "");
  if (written?.includes("%2F") && encodedSlash !== "keep") {
    findings.error([...path, "path"], "has an encoded slash: that needs encodedSlash: keep");
  }
  if (match && !("regex" in match) && written?.includes("*")) {
    const instead = "prefix" in match ? "a prefix is for what is below it too" : "{ regex } has patterns";
    findings.warn([...path, "path"], `* is a character as any other here: ${instead}`);
  }
  const meant = match && !("regex" in match) && variableMeant(written!);
  if (meant) findings.warn([...path, "path"], `a segment with a colon is text as any other here: ${meant}`);
  const map = nodeAt(findings.root, [...path, "headers"]);
  const names = new Set<string>();
  for (const name of map?.kind === "map" ? map.entries.keys() : []) {
    const at = [...path, "headers", name], lower = name.toLowerCase();
    if (names.has(lower)) findings.errorAtKey(at, "is the same header as one before it");
    names.add(lower);
  }
  for (const { name } of headers) {
    const fault = faultOfHeader(name);
    const key = map?.kind === "map"
      ? map.entries.keys().find((key) => key.toLowerCase() === name)
      : undefined;
    if (fault && key !== undefined) findings.errorAtKey([...path, "headers", key], fault);
  }
}

function faultOfHeader(name: string): string | undefined {
  if (readFieldName(name) instanceof Mistake) return "expected the name of a header";
  if (name === "host") return "has a key of its own: host";
  if (CLAIM.test(name.replaceAll("_", "-"))) {
    return "is a claim that any client may make: it is believed from nobody";
  }
  return undefined;
}
