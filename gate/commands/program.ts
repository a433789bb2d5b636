/** The commands, their options and their help. Each one's code is loaded when it is asked for. */
import { Argument, Command, CommanderError } from "commander";
import { VERSION_LINE } from "../version.ts";
import { type Shell, SHELLS } from "./completion/shells.ts";
import type { DevCertOptions } from "./dev_cert.ts";
import type { IdOptions } from "./id.ts";
import type { ExplainOptions } from "./explain.ts";
import { addOperating } from "./operating.ts";
import { addThrough } from "./reaching.ts";
import { CONFIG, JSON_DATA, refuseFile } from "./options.ts";
import type { RunOptions } from "./run_options.ts";

/** Runs what the arguments ask for; the exit code: `done` and `usage` where the library itself had the last word. */
export async function commandLine(
  args: readonly string[],
  exit: { readonly done: number; readonly usage: number },
): Promise<number> {
  let code = exit.done;
  try {
    await program((given) => code = given).parseAsync(args as string[], { from: "user" });
    return code;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return thrown.exitCode === 0 ? exit.done : exit.usage;
  }
}

/** The whole command line; `finish` is given the exit code of what was done. */
export function program(finish: (code: number) => void): Command {
  const ugate = new Command("ugate")
    .description("One port to anywhere: tells protocols apart and carries each to where it belongs.")
    .version(VERSION_LINE, "-V, --version", "versions of ugate and of what it runs on")
    .exitOverride()
    .showHelpAfterError("(ugate help tells more)");
  ugate.commandsGroup("The gate:");
  addRun(ugate, finish);
  ugate.commandsGroup("A gate that runs:");
  addOperating(ugate, finish);
  ugate.commandsGroup("Through another gate:");
  addThrough(ugate, finish);
  ugate.commandsGroup("Configuration:");
  addConfiguration(ugate, finish);
  addExplain(ugate, finish);
  ugate.commandsGroup("This program:");
  ugate.addHelpCommand(
    new Command("help").argument("[command]").description("what a command does, and its options"),
  );
  ugate.command("completion").description("a script for your shell: source <(ugate completion bash)")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action(async (shell: Shell) => {
      const { completion } = await import("./completion/completion.ts");
      console.log(completion(shell, ugate));
      finish(0);
    });
  ugate.command("version").description("versions of ugate and of what it runs on")
    .option(...JSON_DATA)
    .action(async ({ json }: { json?: boolean }) => {
      const { versionLines, versions } = await import("./versions.ts");
      console.log(json ? JSON.stringify(versions(), null, 2) : versionLines().join("\n"));
      finish(0);
    });
  return ugate;
}

function addRun(ugate: Command, finish: (code: number) => void): void {
  ugate.command("run").description("check the configuration, bind, serve")
    .option(...CONFIG)
    .option("--last-good", "where the configuration is broken, start with the last one that worked")
    .option("--no-watch", "do not reload when the configuration's files change")
    .allowExcessArguments()
    .action(async ({ config, lastGood = false, watch }: Partial<RunOptions>, command: Command) => {
      refuseFile(command);
      const { start } = await import("./start.ts");
      finish(await start({ config, lastGood, watch: watch ?? true }));
    });
}

function addConfiguration(ugate: Command, finish: (code: number) => void): void {
  ugate.command("check").description("tell every mistake of a configuration, or what it does")
    .option(...CONFIG)
    .option(...JSON_DATA)
    .allowExcessArguments()
    .action(async ({ config, json }: { config?: string; json?: boolean }, command: Command) => {
      refuseFile(command);
      const { check } = await import("./check.ts");
      const { protocols } = await import("../../protocols/mod.ts");
      finish(await check(config, protocols, json));
    });
  ugate.command("schema").description("the JSON Schema of ugate.yaml, for editors")
    .action(async () => {
      const { schema } = await import("./schema.ts");
      finish(await schema());
    });
  ugate.command("id").description(
    "who this gate is: ID, names, fingerprints, and lines for others to write down",
  )
    .option(...CONFIG)
    .option(...JSON_DATA)
    .allowExcessArguments()
    .action(async (options: IdOptions, command: Command) => {
      refuseFile(command);
      const { id } = await import("./id.ts");
      finish(await id(options));
    });
  ugate.command("hash").description("read a password from the terminal or stdin, print its scrypt hash")
    .action(async () => {
      const { hash } = await import("./hash.ts");
      finish(await hash());
    });
  ugate.command("dev-cert").description(
    "a certificate for development, of an authority of this machine's own",
  )
    .argument("[names...]", "names, *.name and addresses; localhost, 127.0.0.1 and ::1 in any case")
    .option("--out <directory>", "where its files are put", ".")
    .option("--state <directory>", "node.state, where the authority is (default: as without a configuration)")
    .option(...JSON_DATA)
    .action(async (names: string[], options: DevCertOptions) => {
      const { devCert } = await import("./dev_cert.ts");
      finish(await devCert(names, options));
    });
}

const collect = (one: string, before: readonly string[] = []): readonly string[] => [...before, one];

function addExplain(ugate: Command, finish: (code: number) => void): void {
  ugate.command("explain").description("what a connection would get, and why; resolves and never dials")
    .argument("[target]", "host:port that a client asks for, or the URL of a request")
    .option(...CONFIG)
    .option("-H, --header <line>", "a header of the request, `name: value`; may be given again", collect)
    .option("-X, --method <method>", "the method of the request (default: GET)")
    .option("--hex <bytes>", "the first bytes of a connection, in hexadecimal")
    .option("--listener <name>", "only this listener (default: all)")
    .option("--from <address>", "source address of the client")
    .option("--user <name>", "who has logged in")
    .option("--identity <name>", "who it has proven to be, as in `policy`; may be given again", collect)
    .option("--sni <name>", "the name in the ClientHello")
    .option(...JSON_DATA)
    .action(async (target: string | undefined, options: ExplainOptions) => {
      const { explain } = await import("./explain.ts");
      finish(await explain(target, options));
    });
}
