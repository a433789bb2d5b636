/** The scripts, loaded by the shells themselves. */
import { find, need } from "../../../scripts/clients.ts";
import { SHELLS } from "../../../gate/commands/completion/shells.ts";
import { program } from "../../../gate/commands/program.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder, succeed } from "../../support/child.ts";
import { ugate } from "../../support/program.ts";

/** What is typed, `|` between words, and what comes of it where one thing alone fits. */
const CASES: [typed: string, becomes: string][] = [
  ["relo", "reload"],
  ["run|--la", "run|--last-good"],
  ["check|-c|d/ot", "check|-c|d/other.yaml"],
  ["check|--config|d/my", "check|--config|d/my file.yaml"],
  ["reload|--confirm|60s|d/ot", "reload|--confirm|60s|d/other.yaml"],
  ["connections|--sort|do", "connections|--sort|down"],
  ["completion|fi", "completion|fish"],
  ["help|sta", "help|status"],
];

/** A folder with the script and with files to complete. */
async function prepared(shell: string): Promise<Folder> {
  const folder = await Folder.make();
  const { code, stdout } = await ugate(["completion", shell]);
  equal(code, 0);
  await folder.write("script", stdout);
  await Deno.mkdir(`${folder.path}/d`);
  for (const name of ["my file.yaml", "other.yaml"]) await folder.write(`d/${name}`, "");
  return folder;
}

const lastWord = (words: string) => words.split("|").at(-1)!;

for (const shell of SHELLS) {
  Deno.test(`the script for ${shell} names every command and every option`, async () => {
    const { stdout } = await ugate(["completion", shell]);
    const root = program(() => {});
    for (const command of root.commands) {
      ok(new RegExp(`\\b${command.name()}\\b`).test(stdout), command.name());
      for (const { long } of command.options) {
        ok(stdout.includes(shell === "fish" ? ` -l ${long!.slice(2)} ` : long!), `${command.name()} ${long}`);
      }
    }
  });
}

Deno.test("bash completes commands, options, files and choices, behind = too", async () => {
  await using folder = await prepared("bash");
  const cases = [...CASES, ["check|--config|=|d/ot", "d/other.yaml"], ["connections|--sort|=|a", "age"]];
  const lines = cases.map(([typed]) => `try ugate ${typed.split("|").map((word) => `'${word}'`).join(" ")}`);
  const script = `source ./script
complete -p ugate | grep -q -- '-F _ugate' || exit 1
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ugate; (IFS='|'; echo "\${COMPREPLY[*]}"); }
${lines.join("\n")}
try ugate connections --sort ''
try ugate run ''
try ugate completion bash ''`;
  const { stdout, stderr } = await succeed("bash", ["--norc", "-c", script], { cwd: folder.path });
  equal(stderr, "");
  equal(stdout.split("\n"), [
    ...cases.map(([, becomes]) => lastWord(becomes)),
    "up|down|age|rate",
    "",
    "",
    "",
  ]);
});

/** Types into a real zsh on a terminal of its own, and reads what the function `ugate` was called with. */
const ZSH = String.raw`zmodload zsh/zpty
zpty z zsh -f -i
hear() { local out; heard=; until [[ $heard == *$~1* ]]; do zpty -r z out || exit 1; heard+=$out; done }
zpty -w z 'SETUP source ./script; ugate() { print -r -- "GO""T<${"$"}{(j:|:)@}>" }; print RE""ADY'
hear READY
for typed in "$@"; do
  zpty -w -n z "$typed"$'\t'
  zpty -w -n z $'\n'
  hear 'GOT<*>'
  print -r -- "${"$"}{${"$"}{heard#*GOT<}%%>*}"
done
zpty -d z`;

async function inZsh(setup: string, cases: readonly (readonly string[])[]): Promise<void> {
  await using folder = await prepared("zsh");
  const typed = cases.map(([words]) => `ugate ${words.replaceAll("|", " ")}`);
  const script = await folder.write("try.zsh", ZSH.replace("SETUP", setup));
  const { stdout } = await succeed("timeout", ["50", find("zsh")!, "-f", script, ...typed], {
    cwd: folder.path,
    env: { HOME: folder.path },
  });
  equal(stdout.trimEnd().split("\n"), cases.map(([, becomes]) => becomes));
}

Deno.test(
  { name: "zsh completes commands, options, files and choices, behind = too", ignore: !need("zsh") },
  () =>
    inZsh("autoload -U compinit; compinit -u -D;", [
      ...CASES,
      ["check|--config=d/ot", "check|--config=d/other.yaml"],
    ]),
);

Deno.test(
  { name: "zsh completes where nobody has set completion up", ignore: !need("zsh") },
  () => inZsh("", CASES.slice(0, 2)),
);

Deno.test({
  name: "fish completes commands, options, files and choices, behind = too",
  ignore: !need("fish"),
}, async () => {
  await using folder = await prepared("fish");
  const cases = [...CASES, ["connections|--sort=do", "--sort=down"]];
  const lines = cases.map(([words]) =>
    `complete -C 'ugate ${words.replaceAll("|", " ")}' | string replace -r '\\t.*' ''`
  );
  const script = ["source ./script", ...lines].join("\n");
  const env = { HOME: folder.path, XDG_CONFIG_HOME: folder.path, XDG_DATA_HOME: folder.path };
  const { stdout, stderr } = await succeed("fish", ["--no-config", "-c", script], { cwd: folder.path, env });
  equal([stderr, stdout.trimEnd().split("\n")], ["", cases.map(([, becomes]) => lastWord(becomes))]);
});

Deno.test("another shell is wrong usage", async () => {
  const { code, stdout, stderr } = await ugate(["completion", "tcsh"]);
  equal([code, stdout], [2, ""]);
  ok(/Allowed choices are bash, zsh, fish/.test(stderr), stderr);
});
