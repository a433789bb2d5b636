/** Options that several commands share, and how their values are read: what is wrong is told as wrong usage. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { Mistake, readDuration } from "../config/scalars.ts";
import { LONGEST_TRIAL } from "../operations.ts";
import { readAdmin } from "./admin_option.ts";

export const CONFIG = [
  "-c, --config <path>",
  "ugate.yaml or a directory of them (default: $UGATE_CONFIG, ./ugate.yaml, /etc/ugate/ugate.yaml, or the built-in one)",
] as const;

export const JSON_DATA = ["--json", "as data"] as const;

/** For what speaks to a running gate. An empty `$UGATE_ADMIN` says nothing. */
export function withGate(command: Command): Command {
  const admin = new Option("--admin <address>", "the gate's admin page: host:port or unix:/path")
    .argParser((text) => right(readAdmin(text)));
  if (Deno.env.get("UGATE_ADMIN") !== "") admin.env("UGATE_ADMIN");
  return command.addOption(admin)
    .option("-c, --config <path>", "the configuration that names the admin page, where --admin does not")
    .option(...JSON_DATA);
}

/** ms of a trial. */
export function trialTime(text: string): number {
  const ms = right(readDuration(text, 1000));
  return right(ms <= LONGEST_TRIAL ? ms : new Mistake("a time of at most 24h"));
}

/** A count of at least one. */
export function count(text: string): number {
  const value = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : new Mistake("a count from 1 to 999999");
  return right(value);
}

/** Seconds between two samples. */
export function seconds(text: string): number {
  const value = /^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : 0;
  return right(value >= 0.1 ? value : new Mistake("seconds from 0.1 to 9999"));
}

/** What follows a command that takes no file is a slip: the file of `-c`. */
export function refuseFile(command: Command, hint = (file: string) => `Did you mean -c ${file}?`): void {
  const [file] = command.args;
  if (file === undefined) return;
  command.error(`error: too many arguments for '${command.name()}': ${file}\n(${hint(file)})`);
}

function right<T>(value: T | Mistake): T {
  if (!(value instanceof Mistake)) return value;
  throw new InvalidArgumentError(`Expected ${value.expected}.`);
}
