/** The command line: runs what was asked for, and answers the exit code. */
import { CommanderError } from "commander";
import { program } from "./gate/commands/program.ts";
import { visible } from "./gate/commands/visible.ts";
import { causeChain } from "./gate/errors.ts";

/** The promise of exit codes: done; failed, invalid or denied; used wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Runs the command line; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  try {
    await program((given) => code = given).parseAsync(args as string[], { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
    console.error(causeChain(thrown).split("\n").map(visible).join("\n"));
    return EXIT.failed;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
