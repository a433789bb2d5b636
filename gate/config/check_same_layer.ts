/** Routes that handle requests beside such that pass TLS on: of one name all do the same, or the first would decide alone. */
import type { RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import { lacking, type TlsLayers } from "./tls_layers.ts";

type Kind = "handled" | "passed";
/** A route, and the listeners on which it takes TLS: those of all that name no listener are one list. */
interface Placed {
  readonly listeners: readonly string[];
  readonly place: string;
}

/** The first routes of each kind and host. */
export class Places {
  readonly #placed = new Map<string, Placed[]>();

  add(kind: Kind, listeners: readonly string[], host: string, place: string): void {
    const key = keyOf(kind, host), placed = this.#placed.get(key);
    if (!placed) this.#placed.set(key, [{ listeners, place }]);
    else if (!placed.some((one) => isWithin(listeners, one.listeners))) placed.push({ listeners, place });
  }

  /** The first route of the kind that takes all names of the host, on one of the listeners. */
  firstAbove(kind: Kind, listeners: readonly string[], host: string): string | undefined {
    for (const pattern of patternsAbove(host)) {
      const placed = this.#placed.get(keyOf(kind, pattern));
      const found = placed?.find((one) => meet(one.listeners, listeners));
      if (found) return found.place;
    }
    return undefined;
  }

  /** Whether a route of the kind is for this very host on the listener. */
  has(kind: Kind, listener: string, host: string): boolean {
    return this.#placed.get(keyOf(kind, host))?.some(({ listeners }) => listeners.includes(listener)) ??
      false;
  }
}

const keyOf = (kind: Kind, host: string): string => `${kind} ${host}`;
const isWithin = (few: readonly string[], many: readonly string[]): boolean =>
  few === many || few.every((name) => many.includes(name));
const meet = (some: readonly string[], others: readonly string[]): boolean =>
  some === others ? some.length > 0 : some.some((name) => others.includes(name));

export function checkSameLayer(
  routes: readonly Located<RouteConfiguration>[],
  layers: TlsLayers,
  findings: Findings,
): void {
  const places = new Places();
  for (const { path, value } of routes) {
    const kind = kindOf(value);
    if (!kind) continue;
    const { host = "*", place } = value, listeners = layers.listenersOf(value);
    const other = places.firstAbove(kind === "handled" ? "passed" : "handled", listeners, host);
    if (other !== undefined && layers.index.covers(host)) {
      const does = kind === "handled" ? "ends" : "passes on";
      const others = kind === "handled" ? "passes it on" : "ends it";
      findings.error(
        path,
        `${does} TLS of ${host}, and ${other} ${others} before: of one name all routes do the same`,
      );
    }
    places.add(kind, listeners, host, place);
  }
  for (const { path, value } of routes) {
    const { host = "*", tls } = value, listeners = layers.listenersOf(value);
    const lacks = kindOf(value) === "handled" && tls === undefined && listeners.length > 0 &&
      !layers.index.covers(host) && places.firstAbove("passed", listeners, host) === undefined;
    if (lacks) findings.warn(path, `TLS for it is refused: ${lacking(host)} in certificates`);
  }
}

/** What ends TLS and handles no requests is beside its own kind in coverage.ts. */
const kindOf = ({ http, tls }: RouteConfiguration): Kind | undefined =>
  http ? "handled" : tls === undefined ? "passed" : undefined;

/** The pattern itself, and those that cover all that it covers. */
function patternsAbove(host: string): string[] {
  const patterns = [host];
  const first = host.startsWith("*.") ? 2 : 0;
  for (let dot = host.indexOf(".", first); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    patterns.push(`*${host.slice(dot)}`);
  }
  return host === "*" ? patterns : [...patterns, "*"];
}
