/** The table of README.md: the figures that a reader decides by. */
import { type Line, linesOf, number, OTHERS, type Row } from "./table.ts";

/** Who is written otherwise than the program is called. */
const WRITTEN: Readonly<Record<string, string>> = { haproxy: "HAProxy", caddy: "Caddy" };

/** A route by name relays as a forward does. */
const isTold = ({ name }: Row) => !/^bulk .* sni$/.test(name);

/** The lines of the table, as `deno fmt` has them. */
export function readmeTable(rows: readonly Row[], compared = OTHERS): string[] {
  const names = compared.map((who) => WRITTEN[who] ?? who);
  const head = ["", ...names, "ugate", ...names.map((name) => `to ${name}`)];
  const cells = linesOf(rows.filter(isTold), compared).map((line) => [
    nameOf(line),
    ...[...line.others, line.own].map(number),
    ...line.ratios.map((ratio) => ratio?.toFixed(2) ?? ""),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...cells].map((line) => line[column].length)));
  const dashes = widths.map((width) => "-".repeat(Math.max(width, 3)));
  return [head, dashes, ...cells].map((line) =>
    `| ${line.map((cell, column) => cell.padEnd(dashes[column].length)).join(" | ")} |`
  );
}

const nameOf = ({ name, unit }: Line) =>
  unit.startsWith("CPU ") ? `CPU, ${name} (${unit.slice("CPU ".length)})` : `${name} (${unit})`;

/**
 * The text with another table and a line below it, between two marks: `<!-- bench -->`, or with what it is about,
 * `<!-- bench http -->`. Throws where it has no place for them.
 */
export function withTable(
  readme: string,
  rows: readonly Row[],
  closing: string,
  about = "",
  compared = OTHERS,
): string {
  const mark = `<!-- bench${about && ` ${about}`} -->`, parts = readme.split(mark);
  if (parts.length !== 3) throw new Error(`Cannot write the table: README.md needs ${mark} twice`);
  return [parts[0], `\n\n${readmeTable(rows, compared).join("\n")}\n\n${closing}\n\n`, parts[2]].join(mark);
}
