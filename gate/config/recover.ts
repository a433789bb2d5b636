/** `run --last-good`: a start with the last configuration that worked, where the one on disk is broken. */
import { causeChain, GateError } from "../errors.ts";
import { defaultState } from "./defaults.ts";
import type { Environment } from "./environment.ts";
import type { ConfigurationText } from "./files.ts";
import { LastGood } from "./last_good.ts";
import type { Loaded, Parse } from "./load.ts";
import { baseIn, pathFrom } from "./named_path.ts";
import type { ConfigurationError } from "./problems.ts";
import type { ConfigurationSource } from "./source.ts";
import { nodeAt } from "./tree.ts";

/**
 * The last good configuration in the place of the one that `source` gave, which is broken as `broken` says. Its
 * warnings begin with that, and with every mistake. Rejects with GateError where there is none that can be used; the
 * caller then tells `broken` too.
 */
export async function recover(
  broken: ConfigurationError,
  source: ConfigurationSource,
  parse: Parse,
  env: Environment = Deno.env,
): Promise<Loaded> {
  const kept = new LastGood(await stateOf(source.texts, env), source.paths[0]);
  const texts = await kept.read();
  if (!texts) {
    throw new GateError("refused", "gate", `Cannot start from the last good configuration: no ${kept.path}`);
  }
  const loaded = await parse(texts).catch((fault) => {
    const problems = causeChain(fault);
    throw new GateError(
      "refused",
      "gate",
      `Cannot start from ${kept.path}: it does not hold now\n${problems}`,
    );
  });
  return {
    ...loaded,
    lastGood: true,
    warnings: [
      `the configuration on disk is broken and does not hold: this is the last good one, of ${kept.path}`,
      ...broken.message.split("\n"),
      ...loaded.warnings,
    ],
  };
}

/** node.state as far as it can be read in what is broken, else the default. */
async function stateOf(texts: readonly ConfigurationText[], env: Environment): Promise<string> {
  const { readTree } = await import("./document.ts");
  for (const { file, text } of texts) {
    const root = readTree(file, text, env, []) ?? readTree(file, await beforeFault(text), env, []);
    const state = root && nodeAt(root, ["node", "state"]);
    if (state?.kind === "scalar" && state.text) return pathFrom(file, state.text, baseIn(texts));
  }
  return defaultState(env);
}

/** The lines before the first mistake: whole keys, where it is written in lines. */
async function beforeFault(text: string): Promise<string> {
  const { readYaml } = await import("./yaml.ts");
  const reading = readYaml(text);
  const lines = "faults" in reading ? reading.faults.map(({ at }) => at?.line ?? 1) : [1];
  return text.split("\n").slice(0, Math.min(...lines) - 1).join("\n");
}
