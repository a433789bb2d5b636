/** The registry of discovery: what the configuration's `discovery` may name. */
import { GateError } from "../gate/errors.ts";
import type { MeshNames } from "../gate/mesh/registrations.ts";
import { Discovery, type Source } from "./discovery.ts";
import { Dns, type DnsSettings } from "./dns/resolver.ts";
import { ConfiguredHosts, type HostEntry } from "./file.ts";
import { ConnectedNames } from "./mesh.ts";

/** What the sources take from the configuration: plain data. */
export interface DiscoverySettings {
  readonly hosts: readonly HostEntry[];
  /** Which names are those of connections. */
  readonly mesh: MeshNames;
  readonly dns: DnsSettings;
}

/** Registry name -> source. */
export const sources = {
  file: (settings: DiscoverySettings) => new ConfiguredHosts(settings.hosts),
  mesh: (settings: DiscoverySettings) => new ConnectedNames(settings.mesh),
  dns: (settings: DiscoverySettings) => new Dns(settings.dns),
} satisfies Record<string, (settings: DiscoverySettings) => Source>;

/** Discovery that asks the named sources in this order; dispose it. Throws GateError for a name it does not know. */
export function makeDiscovery(order: readonly string[], settings: DiscoverySettings): Discovery {
  const known: Readonly<Record<string, (settings: DiscoverySettings) => Source>> = sources;
  const make = order.map((name) => {
    if (Object.hasOwn(known, name)) return known[name];
    const names = Object.keys(known).join(", ");
    throw new GateError("internal", "gate", `Cannot ask "${name}": expected one of ${names}`);
  });
  return new Discovery(make.map((source) => source(settings)));
}
