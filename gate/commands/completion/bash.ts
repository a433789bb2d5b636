/** A completion script for bash, from 3.2 on. */
import type { CommandDescription, FlagDescription, ProgramDescription, Values } from "./description.ts";

export function bashScript({ name, commands, flags }: ProgramDescription): string {
  const fn = `_${name}`;
  return `# bash completion for ${name}. Now: source <(${name} completion bash)
# For good: ${name} completion bash > ~/.local/share/bash-completion/completions/${name}

${fn}_take() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$@" -- "$cur")
}

${fn}_files() {
  compopt -o filenames 2> /dev/null
  ${fn}_take -f
}

${fn}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= arguments=0 at word
  # readline cuts --name=value into three words
  if [[ $cur == "=" ]]; then cur=
  elif [[ $previous == "=" ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ -z $command ]]; then [[ $word == -* ]] || command=$word
    else
      case "$command $word" in
${skips(commands)}        *" -"* | *" =") ;;
        *) arguments=$((arguments + 1)) ;;
      esac
    fi
  done
  COMPREPLY=()
  case "$command $previous" in
${commands.flatMap(valueCases).map((line) => `    ${line.replaceAll("FN", fn)}\n`).join("")}  esac
  case $command in
    "") ${fn}_take -W ${words([...commands.map((one) => one.name), ...namesOf(flags)])} ;;
${commands.map((one) => `    ${commandCase(one, fn)}\n`).join("")}  esac
}

complete -F ${fn} ${name}`;
}

/** Steps over the values of flags, which are no arguments. */
function skips(commands: readonly CommandDescription[]): string {
  const patterns = commands.flatMap(({ name, flags }) =>
    flags.filter(({ value }) => value).flatMap(({ names }) => names.map((flag) => `"${name} ${flag}"`))
  );
  return patterns.length > 0
    ? `        ${
      patterns.join(" | ")
    }) at=$((at + 1)); [[ \${COMP_WORDS[at]} == "=" ]] && at=$((at + 1)) ;;\n`
    : "";
}

function valueCases({ name, flags }: CommandDescription): string[] {
  return flags.flatMap(({ names, value }) =>
    value ? [`${names.map((flag) => `"${name} ${flag}"`).join(" | ")}) ${take(value)}return ;;`] : []
  );
}

function commandCase({ name, flags, arguments: given }: CommandDescription, fn: string): string {
  const cases = given.map((value, at) => take(value) && `${at}) ${take(value)};; `).join("").replaceAll(
    "FN",
    fn,
  );
  const positional = cases ? `else case $arguments in ${cases}esac; ` : "";
  return `${name}) if [[ $cur == -* ]]; then ${fn}_take -W ${words(namesOf(flags))}; ${positional}fi ;;`;
}

function take(value: Values): string {
  if (value.kind === "choice") return `FN_take -W ${words(value.choices)}; `;
  return value.kind === "files" ? "FN_files; " : "";
}

const namesOf = (flags: readonly FlagDescription[]): string[] => flags.flatMap(({ names }) => names);

/** Names of commands, flags and choices need no quotes of their own. */
const words = (list: readonly string[]): string => `"${list.join(" ")}"`;
