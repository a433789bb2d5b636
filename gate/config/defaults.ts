/** What holds where nothing is written. */
import { normalName } from "../address.ts";
import type { NodeConfiguration } from "./configuration.ts";
import type { Environment } from "./environment.ts";

export const DEFAULT_FILE = "(built-in)";

/** Without a file; its listeners also for a file that has none. */
export const DEFAULT_CONFIGURATION = `# ugate without a configuration: a proxy for this machine alone
listeners:
  local: { address: "127.0.0.1:15080", protocols: [socks, connect, tls] }
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
    state: node.state ?? stateOf(env),
  };
}

/** As the XDG Base Directory Specification has it for users. */
function stateOf(env: Environment): string {
  if (Deno.uid() === 0) return "/var/lib/ugate";
  const home = env.get("XDG_STATE_HOME") || `${env.get("HOME") ?? ""}/.local/state`;
  return `${home}/ugate`;
}
