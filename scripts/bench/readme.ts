/** The table of README.md: the figures that a reader decides by. */
import { type Line, linesOf, number, type Row } from "./table.ts";

const HEAD = ["", "direct", "HAProxy", "nginx", "ugate", "to direct", "to HAProxy", "to nginx"];
/** Stands before and behind the table. */
const MARK = "<!-- bench -->";

/** A route by name relays as a forward does. */
const isTold = ({ name }: Row) => !/^bulk .* sni$/.test(name);

/** The lines of the table, as `deno fmt` has them. */
export function readmeTable(rows: readonly Row[]): string[] {
  const cells = linesOf(rows.filter(isTold)).map((line) => [
    nameOf(line),
    ...[...line.others, line.own].map(number),
    ...line.ratios.map((ratio) => ratio?.toFixed(2) ?? ""),
  ]);
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...cells].map((line) => line[column].length)));
  const dashes = widths.map((width) => "-".repeat(Math.max(width, 3)));
  return [HEAD, dashes, ...cells].map((line) =>
    `| ${line.map((cell, column) => cell.padEnd(dashes[column].length)).join(" | ")} |`
  );
}

const nameOf = ({ name, unit }: Line) =>
  unit.startsWith("CPU ") ? `CPU, ${name} (${unit.slice("CPU ".length)})` : `${name} (${unit})`;

/** The text with another table and a line below it. Throws where it has no place for them. */
export function withTable(readme: string, rows: readonly Row[], closing: string): string {
  const parts = readme.split(MARK);
  if (parts.length !== 3) throw new Error(`Cannot write the table: README.md needs ${MARK} twice`);
  return [parts[0], `\n\n${readmeTable(rows).join("\n")}\n\n${closing}\n\n`, parts[2]].join(MARK);
}
