/** `ugate check`: every mistake of a configuration, or what it does. Binds and resolves nothing. */
import { formatTarget } from "../address.ts";
import type { Configuration } from "../config/configuration.ts";
import { ConfigurationError, loadConfiguration, type Problem } from "../config/load.ts";
import type { Protocols } from "../contracts.ts";
import { visibleJson } from "./visible.ts";

/** Facts on stdout, or mistakes on stderr; warnings there in any case. `json`: all of it on stdout. The exit code. */
export async function check(path: string | undefined, protocols: Protocols, json = false): Promise<number> {
  try {
    const { config, files, warnings, shown } = await loadConfiguration(path, protocols);
    if (json) return tell({ valid: true, files, warnings, problems: [], configuration: shown });
    for (const warning of warnings) console.error(`warning: ${warning}`);
    console.log(facts(config, files).join("\n"));
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    if (json) return tell({ valid: false, files: [], warnings: [], problems: thrown.problems });
    console.error(thrown.message);
    return 1;
  }
}

interface Verdict {
  readonly valid: boolean;
  readonly files: readonly string[];
  readonly warnings: readonly string[];
  readonly problems: readonly Problem[];
  /** What holds, in the spelling of ugate.yaml: defaults included, secrets as `***`. */
  readonly configuration?: unknown;
}

function tell(verdict: Verdict): number {
  console.log(visibleJson(verdict, 2));
  return verdict.valid ? 0 : 1;
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
