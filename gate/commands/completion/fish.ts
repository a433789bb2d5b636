/** A completion script for fish. */
import type { CommandDescription, FlagDescription, ProgramDescription, Values } from "./description.ts";

export function fishScript({ name, commands, flags }: ProgramDescription): string {
  const first = `${name} completion fish`;
  return [
    `# fish completion for ${name}. Now: ${first} | source`,
    `# For good: ${first} > ~/.config/fish/completions/${name}.fish`,
    `complete -c ${name} -f`,
    ...flags.map((flag) => line(name, "__fish_use_subcommand", flag)),
    ...commands.flatMap((command) => commandLines(name, command)),
  ].join("\n");
}

function commandLines(
  program: string,
  { name, summary, flags, arguments: given }: CommandDescription,
): string[] {
  const seen = `__fish_seen_subcommand_from ${name}`;
  return [
    `complete -c ${program} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...flags.map((flag) => line(program, seen, flag)),
    ...given.flatMap((value) => {
      const values = valueWords(value);
      return values === "" ? [] : [`complete -c ${program} -n ${quoted(seen)} ${values}`];
    }),
  ];
}

function line(program: string, when: string, { names, summary, value }: FlagDescription): string {
  const spelled = names.map((name) => name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`);
  const taken = value ? [value.kind === "files" ? "-r" : "-x", valueWords(value)].join(" ").trimEnd() : "";
  return [`complete -c ${program} -n ${quoted(when)}`, ...spelled, taken, `-d ${quoted(summary)}`]
    .filter((part) => part !== "").join(" ");
}

function valueWords(value: Values): string {
  if (value.kind === "choice") return `-a ${quoted(value.choices.join(" "))}`;
  return value.kind === "files" ? "-F" : "";
}

const quoted = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
