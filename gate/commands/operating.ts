/** The commands that speak to a running gate. Each one's code is loaded when it is asked for. */
import { type Command, Option } from "commander";
import type { ConnectionsOptions } from "./connections.ts";
import { SORTS } from "./connection_rows.ts";
import type { GateOptions } from "./find_gate.ts";
import { count, refuseFile, seconds, trialTime, withGate } from "./options.ts";
import type { ReloadOptions } from "./reload.ts";
import type { TopOptions } from "./top.ts";

type Finish = (code: number) => void;

const MOST = 100;
/** Seconds. */
const WATCH = 2;

export function addOperating(ugate: Command, finish: Finish): void {
  withGate(ugate.command("status").description("how the running gate is"))
    .action(async (options: GateOptions) => {
      const { status } = await import("./status.ts");
      finish(await status(options));
    });
  addConnections(ugate, finish);
  withGate(ugate.command("nodes").description("who is connected, and under which names"))
    .action(async (options: GateOptions) => {
      const { nodes } = await import("./nodes.ts");
      finish(await nodes(options));
    });
  withGate(ugate.command("top").description("what each listener does in a second, until q or Ctrl-C"))
    .option("--once", "one sample of a second, as --json and what is no terminal always get")
    .action(async (options: TopOptions) => {
      const { top } = await import("./top.ts");
      finish(await top(options));
    });
  addReload(ugate, finish);
  withGate(
    ugate.command("confirm").description("keep what reload --confirm tries: it takes the file's place"),
  )
    .action(async (options: GateOptions) => {
      const { confirm } = await import("./confirm.ts");
      finish(await confirm(options));
    });
}

function addConnections(ugate: Command, finish: Finish): void {
  withGate(ugate.command("connections").description("what goes through the running gate now"))
    .option("--watch [seconds]", `again and again, with rates, until q or Ctrl-C (every ${WATCH} s)`, seconds)
    .option("--listener <name>", "only what came in there")
    .option("--most <count>", "at most so many", count, MOST)
    .addOption(new Option("--sort <by>", "the most first (default: the newest)").choices(SORTS))
    .action(async ({ watch, ...options }: Omit<ConnectionsOptions, "watch"> & { watch?: number | true }) => {
      const { connections } = await import("./connections.ts");
      finish(await connections({ ...options, watch: watch === true ? WATCH : watch }));
    });
}

/** A gate reads the file it runs with, and no other one that is named to it. */
const ownFile = (file: string): string =>
  `The gate reads its own file again: -c ${file} is the gate that has it, --confirm 60s ${file} tries it`;

function addReload(ugate: Command, finish: Finish): void {
  withGate(ugate.command("reload").description("the running gate reads its configuration again"))
    .argument("[file]", "with --confirm: the new configuration, - for stdin")
    .option("--confirm <time>", "try FILE for so long (60s, 5m); then the old one holds again", trialTime)
    .action(async (file: string | undefined, options: ReloadOptions, command: Command) => {
      if (options.confirm === undefined) refuseFile(command, ownFile);
      else if (file === undefined) command.error("error: --confirm needs the FILE to try");
      const { reload } = await import("./reload.ts");
      finish(await reload({ ...options, file }));
    });
}
