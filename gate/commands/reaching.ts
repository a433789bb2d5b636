/** The commands that reach something through another gate, and their options. */
import type { Command } from "commander";
import type { Target } from "../address.ts";
import { CONFIG } from "./options.ts";
import type { Entrance, ThroughOptions } from "./through.ts";
import { readDestination, readDynamic, readForward, readIdentityOption, readVia } from "./via.ts";

const collect = (one: string, before: readonly string[] = []): readonly string[] => [...before, one];

/** Options of both. */
const withVia = (command: Command): Command =>
  command
    .requiredOption("--via <gate>", "the gate, or a server of SSH: [user@]host[:port]", readVia)
    .option("--identity <name>", "who it has to be: key:ID or ssh:SHA256:…", readIdentityOption)
    .option(
      "--known-hosts <file>",
      "who is believed without --identity (default: ssh.knownHosts, else ~/.ssh/known_hosts); may be given again",
      collect,
    )
    .option(
      "-i, --key <file>",
      "what to log in with, or agent (default: ssh.identities, else the agent or the node's key); may be given again",
      collect,
    )
    .option("--tls", "SSH in TLS")
    .option(...CONFIG);

export function addThrough(ugate: Command, finish: (code: number) => void): void {
  withVia(ugate.command("nc"))
    .description("stdin and stdout as a connection through a gate, for ssh's ProxyCommand")
    .argument("<target>", "host:port, or unix:/path there", readDestination)
    .action(async (target: Target, options: ThroughOptions) => {
      const { nc } = await import("./nc.ts");
      finish(await nc(target, options));
    });
  withVia(ugate.command("forward"))
    .description("ports of this machine that lead through a gate, until a signal ends it")
    .option(
      "-L, --local <forward>",
      "[bind:]port:host:hostport, or [bind:]port:/path; may be given again",
      readForward,
    )
    .option(
      "-D, --dynamic <address>",
      "[bind:]port of a proxy, SOCKS and HTTP; may be given again",
      readDynamic,
    )
    .action(async (options: ForwardOptions, command: Command) => {
      const { local = [], dynamic = [], ...rest } = options, entrances = [...local, ...dynamic];
      if (entrances.length === 0) command.error("error: expected -L or -D: what is forwarded");
      const { forward } = await import("./forward.ts");
      finish(await forward(entrances, rest));
    });
}

interface ForwardOptions extends ThroughOptions {
  readonly local?: readonly Entrance[];
  readonly dynamic?: readonly Entrance[];
}
