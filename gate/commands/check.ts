/** `ugate check`: every mistake of a configuration, or what it does. Binds and resolves nothing. */
import { formatTarget } from "../address.ts";
import type { Configuration } from "../config/configuration.ts";
import { ConfigurationError, loadConfiguration } from "../config/load.ts";
import type { Protocols } from "../contracts.ts";

/** Facts on stdout, or mistakes on stderr; warnings there in any case. The exit code. */
export async function check(path: string | undefined, protocols: Protocols): Promise<number> {
  try {
    const { config, files, warnings } = await loadConfiguration(path, protocols);
    for (const warning of warnings) console.error(`warning: ${warning}`);
    console.log(facts(config, files).join("\n"));
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    console.error(thrown.message);
    return 1;
  }
}

function facts(config: Configuration, files: readonly string[]): string[] {
  const lines = [`ok: ${files.length > 0 ? files.join(", ") : "the built-in configuration"}`];
  for (const { name, addresses, protocols } of Object.values(config.listeners)) {
    lines.push(`listener ${name}: ${addresses.map(formatTarget).join(", ")} (${protocols.join(", ")})`);
  }
  for (const [page, address] of Object.entries(config.admin)) {
    if (address) lines.push(`admin.${page}: ${formatTarget(address)}`);
  }
  const counts = { routes: config.routes, hosts: Object.keys(config.hosts), "policy rules": config.policy };
  lines.push(Object.entries(counts).map(([what, items]) => `${what}: ${items.length}`).join(", "));
  return lines;
}
