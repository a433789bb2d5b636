/** A completion script for zsh: to be sourced, or a file `_ugate` in `$fpath`. */
import type { CommandDescription, FlagDescription, ProgramDescription, Values } from "./description.ts";

export function zshScript({ name, commands, flags }: ProgramDescription): string {
  const fn = `_${name}`;
  const described = commands.map((one) => `    ${quoted(`${one.name}:${one.summary}`)}`).join("\n");
  return `#compdef ${name}
# zsh completion for ${name}. Now: source <(${name} completion zsh)
# For good: ${name} completion zsh > a file ${fn} in a folder of $fpath

${fn}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${described}
  )
  _arguments -C ${flags.flatMap(specs).join(" ")} '1: :->command' '*:: :->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${commands.map((one) => `        ${one.name}) _arguments ${argumentsOf(one)} ;;\n`).join("")}      esac ;;
  esac
}

if [[ $funcstack[1] == ${fn} ]]; then ${fn} "$@"
else
  # A shell that nobody has set up to complete yet.
  if (( ! $+functions[compdef] )); then autoload -Uz compinit && compinit -i; fi
  compdef ${fn} ${name}
fi`;
}

function argumentsOf({ flags, arguments: given }: CommandDescription): string {
  return [...flags.flatMap(specs), ...given.map((value) => quoted(`:argument:${action(value)}`))].join(" ");
}

/** One for each name; they exclude each other. */
function specs({ names, summary, value }: FlagDescription): string[] {
  const text = summary.replace(/[\[\]\\:]/g, "\\$&");
  return names.map((name) => {
    const joint = value && name.startsWith("--") ? "=" : "";
    return quoted(`(${names.join(" ")})${name}${joint}[${text}]${value ? `:value:${action(value)}` : ""}`);
  });
}

function action(value: Values): string {
  if (value.kind === "choice") return `(${value.choices.join(" ")})`;
  return value.kind === "files" ? "_files" : " ";
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
