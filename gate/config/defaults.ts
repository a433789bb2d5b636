/** What holds where nothing is written. */
import { normalName } from "../address.ts";
import type { NodeConfiguration } from "./configuration.ts";
import type { Environment } from "./environment.ts";

export const DEFAULT_FILE = "(built-in)";

/** Without a file; its listeners also for a file that has none. */
export const DEFAULT_CONFIGURATION = `# ugate without a configuration: a proxy for this machine alone
listeners:
  local: { address: "127.0.0.1:15080", protocols: [socks, connect, http, tls] }
admin: { address: "127.0.0.1:15000" }
`;

/** The node with what only this machine knows. */
export function completeNode(
  node: Omit<NodeConfiguration, "name" | "state"> & Partial<NodeConfiguration>,
  env: Environment,
): NodeConfiguration {
  return {
    ...node,
    name: node.name ?? normalName(Deno.hostname()) ?? "localhost",
    state: node.state ?? defaultState(env),
  };
}

/** A service's place: root's, and of who has no home, as a process has none that began with an empty environment. */
const SYSTEM_STATE = "/var/lib/ugate";

/**
 * node.state where none is given. As the XDG Base Directory Specification has it for users: a path that is not
 * absolute does not count.
 */
export function defaultState(env: Environment, uid = Deno.uid()): string {
  if (uid === 0) return SYSTEM_STATE;
  const given = env.get("XDG_STATE_HOME") ?? "", home = env.get("HOME") ?? "";
  if (given.startsWith("/")) return `${given}/ugate`;
  return home.startsWith("/") ? `${home}/.local/state/ugate` : SYSTEM_STATE;
}
