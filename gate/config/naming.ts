/** Protocols by what of their connections names the destination. */
import type { Naming, Protocols } from "../contracts.ts";

export const protocolsNaming = (naming: Naming, protocols: Protocols): string[] =>
  Object.keys(protocols).filter((name) => protocols[name].naming === naming);
