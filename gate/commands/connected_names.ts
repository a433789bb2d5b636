/** The names that are connected to the running gate now, for who explains: it is asked, and need not be there. */
import { parseTarget } from "../address.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Credentials } from "../config/credentials.ts";
import { asGateError } from "../errors.ts";
import { LiveNames } from "../mesh/live_names.ts";
import { NameSpace } from "../mesh/name_space.ts";
import { type MeshNames, meshRules, Registrations } from "../mesh/registrations.ts";
import { AdminClient } from "./admin_client.ts";
import { reachable } from "./admin_option.ts";
import { isNodes } from "./gate_answers.ts";

export interface ConnectedNames {
  readonly live: LiveNames;
  readonly mesh: MeshNames;
  /** Why nobody knows who is connected; undefined: it was told. */
  readonly unknown?: string;
}

/** ms: who explains a file need not have a gate that runs. */
const TIME = 1000;
const MOST = 20_000;
/** What names are registered by. */
const REGISTERING = "ssh";

export async function connectedNames(
  config: Configuration,
  { logins }: Pick<Credentials, "logins">,
): Promise<ConnectedNames> {
  const live = new LiveNames(), known = new Registrations(meshRules(config, logins?.logins));
  const mesh: MeshNames = {
    owns: (name) => known.owns(name) || live.has(name),
    onOwned: (told) => known.onOwned(told),
  };
  const registering = Object.values(config.listeners).some(({ protocols }) =>
    protocols.includes(REGISTERING)
  );
  if (!registering) return { live, mesh, unknown: "no listener speaks ssh" };
  const { address } = config.admin;
  if (!address) return { live, mesh, unknown: "admin.address is off, so the gate cannot be asked" };
  try {
    await ask(new AdminClient(reachable(address), () => {}), new NameSpace(config.node.domain), live);
    return { live, mesh };
  } catch (thrown) {
    return { live, mesh, unknown: asGateError(thrown).message };
  }
}

async function ask(gate: AdminClient, space: NameSpace, live: LiveNames): Promise<void> {
  const { nodes } = await gate.json({ path: `/nodes?most=${MOST}`, time: TIME, quiet: true }, isNodes);
  const places = nodes.flatMap(({ names }) => names.map(parseTarget)).filter((place) => place !== undefined);
  const rows = places.map(({ host, port }, id) => (
    { id, connection: id, engine: 0, names: space.spellings(host), port }
  ));
  live.apply({ live: rows, gone: [] });
}
