/** The `hosts` of the configuration: where a name lives because the operator says so. */
import { hostMatches, normalName, type Target } from "../gate/address.ts";
import type { Destination, Endpoint, Resolver } from "../gate/contracts.ts";

/** `name`: a normal name, `*.name` or `*`. Without addresses, `via` is asked for the name itself. */
export interface HostEntry {
  readonly name: string;
  readonly addresses?: readonly { readonly host: string; readonly port?: number }[];
  readonly via?: Target;
  readonly layers: readonly string[];
  readonly credentials?: string;
  readonly identity?: string;
  readonly user?: string;
}

/** The configuration holds until another one replaces it, ms. */
const LIFETIME = 24 * 3600_000;

/** Exact names before wildcards, the longest wildcard first. */
export class ConfiguredHosts implements Resolver {
  readonly #exact = new Map<string, HostEntry>();
  readonly #wildcards: readonly HostEntry[];
  readonly #proxies = new Set<string>();

  constructor(entries: readonly HostEntry[]) {
    for (const entry of entries) {
      if (!entry.name.startsWith("*")) this.#exact.set(entry.name, entry);
      if (entry.via) this.#proxies.add(entry.via.host);
    }
    this.#wildcards = entries.filter((entry) => entry.name.startsWith("*"))
      .sort((a, b) => b.name.length - a.name.length);
  }

  resolve(target: Target, _signal: AbortSignal): Promise<Destination | undefined> {
    const name = normalName(target.host);
    const entry = name === undefined ? undefined : this.#find(name);
    return Promise.resolve(entry && destination(entry, target));
  }

  /** No wildcard covers a proxy's own name, or `*` with a named proxy would lead to itself for ever. */
  #find(name: string): HostEntry | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined || this.#proxies.has(name)) return exact;
    return this.#wildcards.find((entry) => hostMatches(entry.name, name));
  }
}

function destination(entry: HostEntry, target: Target): Destination {
  const places = entry.addresses?.length ? entry.addresses : [{ host: target.host }];
  const endpoints = places.map(({ host, port }: { host: string; port?: number }): Endpoint => ({
    address: { host, port: port ?? target.port },
    layers: entry.layers,
    ...entry.via && { via: entry.via },
    ...entry.credentials !== undefined && { credentials: entry.credentials },
    ...entry.identity !== undefined && { identity: entry.identity },
    ...entry.user !== undefined && { user: entry.user },
  }));
  return { target, endpoints, source: "file", lifetime: LIFETIME };
}
