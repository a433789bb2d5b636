/** Joins a configuration with the sources of discovery. */
import type { Configuration } from "../config/configuration.ts";
import type { MeshNames } from "../mesh/registrations.ts";
import type { Discovery } from "../../routes/discovery.ts";
import { makeDiscovery } from "../../routes/mod.ts";

/** Who is asked, in the configuration's order; dispose it. */
export function discoveryOf(config: Configuration, mesh: MeshNames): Discovery {
  return makeDiscovery(config.discovery, { hosts: Object.values(config.hosts), mesh, dns: config.dns });
}
