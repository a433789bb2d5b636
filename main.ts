/** The command line: each verb's code is loaded when it is asked for. */
import { Command, CommanderError } from "commander";
import type { ExplainOptions } from "./gate/commands/explain.ts";
import { causeChain } from "./gate/errors.ts";
import { VERSION } from "./gate/version.ts";

/** The promise of exit codes: done; failed, invalid or denied; used wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

const VERSIONS = `ugate ${VERSION} (Deno ${Deno.version.deno}, ${Deno.build.target})`;

const CONFIG = [
  "-c, --config <path>",
  "ugate.yaml or a directory of them (default: $UGATE_CONFIG, ./ugate.yaml, /etc/ugate/ugate.yaml, or the built-in one)",
] as const;

function program(finish: (code: number) => void): Command {
  const ugate = new Command("ugate")
    .description("One port to anywhere: tells protocols apart and carries each to where it belongs.")
    .version(VERSIONS, "-V, --version", "versions of ugate and of what it runs on")
    .exitOverride()
    .showHelpAfterError("(ugate help tells more)");
  ugate.command("run").description("check the configuration, bind, serve")
    .option(...CONFIG)
    .action(async ({ config }: { config?: string }) => {
      const { run } = await import("./gate/commands/run.ts");
      finish(await run(config));
    });
  ugate.command("check").description("tell every mistake of a configuration, or what it does")
    .option(...CONFIG)
    .action(async ({ config }: { config?: string }) => {
      const { check } = await import("./gate/commands/check.ts");
      const { protocols } = await import("./protocols/mod.ts");
      finish(await check(config, protocols));
    });
  ugate.command("explain").description("what a connection would get, and why; resolves and never dials")
    .argument("[target]", "host:port that a client asks for")
    .option(...CONFIG)
    .option("--hex <bytes>", "the first bytes of a connection, in hexadecimal")
    .option("--listener <name>", "only this listener (default: all)")
    .option("--from <address>", "source address of the client")
    .option("--user <name>", "who has logged in")
    .option("--sni <name>", "the name in the ClientHello")
    .option("--json", "as data")
    .action(async (target: string | undefined, options: ExplainOptions) => {
      const { explain } = await import("./gate/commands/explain.ts");
      finish(await explain(target, options));
    });
  ugate.command("schema").description("the JSON Schema of ugate.yaml, for editors")
    .action(async () => {
      const { schema } = await import("./gate/commands/schema.ts");
      finish(await schema());
    });
  ugate.command("hash").description("read a password, print its scrypt hash for `users`")
    .action(async () => {
      const { hash } = await import("./gate/commands/hash.ts");
      finish(await hash());
    });
  ugate.command("version").description("versions of ugate and of what it runs on")
    .action(() => {
      console.log(VERSIONS);
      finish(EXIT.done);
    });
  return ugate;
}

/** Runs the command line; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  try {
    await program((given) => code = given).parseAsync(args as string[], { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
    console.error(causeChain(thrown));
    return EXIT.failed;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
