/** The command line: runs what was asked for, and answers the exit code. */
import { plainRun } from "./gate/commands/run_options.ts";
import { start } from "./gate/commands/start.ts";
import { visible } from "./gate/visible.ts";
import { causeChain } from "./gate/errors.ts";

/** The promise of exit codes: done; failed, invalid or denied; used wrongly. */
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Runs the command line; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const plain = plainRun(args);
    if (plain) return await start(plain);
    const { commandLine } = await import("./gate/commands/program.ts");
    return await commandLine(args, EXIT);
  } catch (thrown) {
    console.error(causeChain(thrown).split("\n").map(visible).join("\n"));
    return EXIT.failed;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
