/** `ugate completion`: a script that completes what this very program knows, so that neither can drift. */
import type { Command } from "commander";
import { bashScript } from "./bash.ts";
import { describe } from "./description.ts";
import { fishScript } from "./fish.ts";
import type { Shell } from "./shells.ts";
import { zshScript } from "./zsh.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } satisfies Record<Shell, unknown>;

/** The script of a shell for a program. */
export function completion(shell: Shell, program: Command): string {
  return SCRIPTS[shell](describe(program));
}
