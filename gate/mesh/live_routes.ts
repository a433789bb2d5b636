/**
 * A live registration is a route behind those of the file: SNI goes to its port 443 untouched, a Host in clear to its 80;
 * where only 80 is registered TLS ends at the gate.
 */
import { formatTarget, type Target } from "../address.ts";
import { askedName, type Asking } from "../asking.ts";
import { UNCOUNTED } from "../health.ts";
import type { RouteRule } from "../snapshot.ts";
import type { LiveNames, LiveRow } from "./live_names.ts";

const HTTP = 80, HTTPS = 443;
/** What metrics call all of them: no label holds a name that somebody chose. */
export const LIVE_LABEL = "mesh";
const HANDLED = {};

/** How HTTP is served that comes in somewhere: request by request, as it comes, or not at all. */
export type Serving = "requests" | "bytes" | "nothing";

export class LiveRoutes {
  readonly #names: LiveNames;
  /** Made once for each registration and serving: what is pooled and counted goes by them. */
  #made = new WeakMap<LiveRow, Map<string, RouteRule>>();

  constructor(names: LiveNames) {
    this.#names = names;
  }

  /** Whether there is any. */
  get any(): boolean {
    return this.#names.any;
  }

  /** undefined: nobody offers that now. */
  match(asking: Asking, serving: Serving): RouteRule | undefined {
    if (!this.any || (asking.naming !== "serverName" && asking.naming !== "host")) return undefined;
    const host = askedName(asking);
    if (host === undefined) return undefined;
    const secure = asking.naming === "serverName" ? this.#names.find({ host, port: HTTPS }) : undefined;
    if (secure) return this.#rule(secure, { host, port: HTTPS }, "bytes");
    if (serving === "nothing" || asking.naming === "serverName" && serving === "bytes") return undefined;
    const clear = this.#names.find({ host, port: HTTP });
    return clear && this.#rule(clear, { host, port: HTTP }, serving);
  }

  #rule(row: LiveRow, target: Target, serving: Serving): RouteRule {
    const made = this.#made.get(row) ?? new Map<string, RouteRule>(), key = `${serving} ${target.host}`;
    this.#made.set(row, made);
    let rule = made.get(key);
    if (!rule) made.set(key, rule = liveRule(target, row.id, serving));
    return rule;
  }
}

function liveRule(target: Target, live: number, serving: Serving): RouteRule {
  return {
    place: `mesh ${formatTarget(target)}`,
    label: LIVE_LABEL,
    host: target.host,
    live,
    to: [{ target, weight: 1, health: UNCOUNTED }],
    ...serving === "requests" && { http: HANDLED },
  };
}
