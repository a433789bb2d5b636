/** A program of commander as completion sees it. */
import type { Command, Option } from "commander";

export interface ProgramDescription {
  readonly name: string;
  readonly commands: readonly CommandDescription[];
  /** What may stand in front of a command. */
  readonly flags: readonly FlagDescription[];
}

export interface CommandDescription {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly flags: readonly FlagDescription[];
  /** What its arguments may be; the last one's too, where there are more. */
  readonly arguments: readonly Values[];
}

export interface FlagDescription {
  /** `-c`, `--config` */
  readonly names: readonly string[];
  readonly summary: string;
  /** Absent: no value follows. */
  readonly value?: Values;
}

/** `anything`: nobody but the user knows. */
export type Values = { readonly kind: "files" | "anything" } | {
  readonly kind: "choice";
  readonly choices: readonly string[];
};

/** Names of values that are files. */
const FILES = ["path", "file"];

export function describe(program: Command): ProgramDescription {
  const help = program.createHelp();
  return {
    name: program.name(),
    flags: help.visibleOptions(program).map(flagOf),
    commands: help.visibleCommands(program).map((command) => ({
      name: command.name(),
      summary: command.description(),
      flags: help.visibleOptions(command).map(flagOf),
      arguments: argumentsOf(command, program),
    })),
  };
}

function argumentsOf(command: Command, program: Command): Values[] {
  if (command.name() !== "help") {
    return command.registeredArguments.map((argument) => valuesOf(argument.name(), argument.argChoices));
  }
  return [{ kind: "choice", choices: program.commands.map((other) => other.name()) }];
}

function flagOf(option: Option): FlagDescription {
  const names = [option.short, option.long].filter((name) => name !== undefined && name !== null);
  const value = /[<[]([\w-]+)/.exec(option.flags)?.[1];
  // A value that may be left out cannot be told from what follows, and is not completed.
  return {
    names,
    summary: option.description,
    ...value && option.required && { value: valuesOf(value, option.argChoices) },
  };
}

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices) return { kind: "choice", choices };
  return { kind: FILES.includes(name) ? "files" : "anything" };
}
