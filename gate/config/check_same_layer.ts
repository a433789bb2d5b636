/** Routes that handle requests beside such that pass TLS on: of one name all do the same, or the first would decide alone. */
import type { RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { lacking, type TlsLayers } from "./tls_layers.ts";

type Kind = "handled" | "passed";
/** The place of the first route, by kind, listener and host. */
export type Places = Map<string, string>;

export function checkSameLayer(
  routes: readonly Located<RouteConfiguration>[],
  layers: TlsLayers,
  findings: Findings,
): void {
  const places: Places = new Map();
  for (const { path, value } of routes) {
    const kind = kindOf(value);
    if (!kind) continue;
    const { host = "*", place } = value, listeners = layers.listenersOf(value);
    const other = firstAbove(places, kind === "handled" ? "passed" : "handled", listeners, host);
    if (other !== undefined && layers.index.covers(host)) {
      const does = kind === "handled" ? "ends" : "passes on";
      const others = kind === "handled" ? "passes it on" : "ends it";
      findings.error(
        path,
        `${does} TLS of ${host}, and ${other} ${others} before: of one name all routes do the same`,
      );
    }
    for (const listener of listeners) {
      const key = keyOf(kind, listener, host);
      if (!places.has(key)) places.set(key, place);
    }
  }
  for (const { path, value } of routes) {
    const { host = "*", tls } = value, listeners = layers.listenersOf(value);
    const lacks = kindOf(value) === "handled" && tls === undefined && listeners.length > 0 &&
      !layers.index.covers(host) && firstAbove(places, "passed", listeners, host) === undefined;
    if (lacks) findings.warn(path, `TLS for it is refused: ${lacking(host)} in certificates`);
  }
}

/** What ends TLS and handles no requests is beside its own kind in coverage.ts. */
const kindOf = ({ http, tls }: RouteConfiguration): Kind | undefined =>
  http ? "handled" : tls === undefined ? "passed" : undefined;

/** The first route of the kind that takes all names of the host, on one of the listeners. */
export function firstAbove(
  places: Places,
  kind: Kind,
  listeners: readonly string[],
  host: string,
): string | undefined {
  const patterns = patternsAbove(host);
  for (const listener of listeners) {
    for (const pattern of patterns) {
      const place = places.get(keyOf(kind, listener, pattern));
      if (place !== undefined) return place;
    }
  }
  return undefined;
}

export const keyOf = (kind: Kind, listener: string, host: string): string => `${kind} ${listener} ${host}`;

/** The pattern itself, and those that cover all that it covers. */
function patternsAbove(host: string): string[] {
  const patterns = [host];
  const first = host.startsWith("*.") ? 2 : 0;
  for (let dot = host.indexOf(".", first); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    patterns.push(`*${host.slice(dot)}`);
  }
  return host === "*" ? patterns : [...patterns, "*"];
}
