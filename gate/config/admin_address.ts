/** Where the admin page of a configuration is, whatever else is wrong with it. */
import type { Target } from "../address.ts";
import { DEFAULT_CONFIGURATION, DEFAULT_FILE } from "./defaults.ts";
import type { Environment } from "./environment.ts";
import { readFiles } from "./files.ts";
import { readRoot } from "./load.ts";
import { ConfigurationError, Findings, type Problem } from "./problems.ts";
import { readPart } from "./read.ts";

/**
 * `admin.address` of the configuration that loadConfiguration would read; undefined: it is `off`. The rest of the file
 * is not looked at. Throws ConfigurationError where this key, or the way to it, is broken.
 */
export async function loadAdminAddress(
  path: string | undefined,
  env: Environment = Deno.env,
): Promise<Target | undefined> {
  const texts = await readFiles(path, env) ?? [{ file: DEFAULT_FILE, text: DEFAULT_CONFIGURATION }];
  const problems: Problem[] = [];
  const root = await readRoot(texts, env, problems);
  if (root === undefined) throw new ConfigurationError(problems);
  const findings = new Findings(root);
  const { admin } = await import("./schema.ts");
  const read = readPart(admin, ["admin"], findings);
  if (read === undefined) throw new ConfigurationError([...problems, ...findings.problems]);
  return read.address;
}
