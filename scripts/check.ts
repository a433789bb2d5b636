/**
 * `deno task check`: format, lint (with the rules of scripts/lint/), types, words that may not be in the sources, and
 * circular imports. Long files are listed, for a look. Ends with 1 where something is wrong.
 */
import { circles, importsOf } from "./lint/circles.ts";

const ROOT = new URL("../", import.meta.url).pathname;
/** Lines of a file from which on it is listed. */
const LONG = 400;
/** Written in pieces, or this file would be found. Of untyped values the linter tells; nobody may silence it. */
const FORBIDDEN = new RegExp(
  [
    "\\bTO" + "DO\\b",
    "\\bFIX" + "ME\\b",
    "@ts-" + "(ignore|expect-error|nocheck)",
    "lint-ignore.*explicit-" + "any",
  ].join("|"),
);

type Sources = ReadonlyMap<string, string>;

/** The sources by path; what is not checked in by name (.git, coverage) is left out. */
function sources(folder = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of Deno.readDirSync(ROOT + folder)) {
    const path = folder + entry.name;
    if (entry.isDirectory && !/^(\..*|node_modules|coverage)$/.test(entry.name)) {
      for (const [name, text] of sources(`${path}/`)) found.set(name, text);
    } else if (path.endsWith(".ts")) found.set(path, Deno.readTextFileSync(ROOT + path));
  }
  return found;
}

/** Lines with a forbidden word, as `file:line: text`. */
export function forbidden(files: Sources): string[] {
  return [...files].flatMap(([path, text]) =>
    text.split("\n").flatMap((line, at) => FORBIDDEN.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])
  );
}

function long(files: Sources): string[] {
  return [...files].map(([path, text]) => [path, text.split("\n").length - 1] as const)
    .filter(([, lines]) => lines > LONG).map(([path, lines]) => `${path}: ${lines} lines`);
}

async function deno(...args: string[]): Promise<boolean> {
  console.log(`deno ${args[0]} ${args.filter((arg) => arg.startsWith("-")).join(" ")}`.trimEnd());
  const child = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null", stdout: "inherit" });
  return (await child.spawn().status).success;
}

/** Prints what was found under its title; whether there was nothing. */
function none(title: string, found: readonly string[]): boolean {
  if (found.length > 0) console.log([`${title}:`, ...found.map((line) => `  ${line}`)].join("\n"));
  return found.length === 0;
}

async function main(): Promise<number> {
  const files = sources();
  const graph = new Map([...files].map(([path, text]) => [path, importsOf(path, text)]));
  none(`Files over ${LONG} lines, each a question`, long(files));
  const good = [
    await deno("fmt", "--check"),
    await deno("lint", "--quiet"),
    await deno("check", "--quiet", "--frozen", ...files.keys()),
    none("Forbidden words", forbidden(files)),
    none("Circular imports", circles(graph).map((circle) => circle.join(" -> "))),
  ];
  const bad = good.filter((one) => !one).length;
  console.log(bad === 0 ? `Checked ${files.size} files: all good` : `${bad} of ${good.length} checks failed`);
  return bad === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
