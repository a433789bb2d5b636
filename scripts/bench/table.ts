/** Figures of many rounds, and their medians as a table of absolute numbers and ratios. */
import { median } from "./quantile.ts";

/** One number of one measurement. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

/** What was measured, in which unit, and the samples of each contender. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly samples: Record<string, number[]>;
}

/** What came of all rounds, in the order in which it was first measured. */
export class Results {
  readonly rows: Row[] = [];
  /** What could not be measured -> why. */
  readonly leftOut = new Map<string, string>();

  add(who: string, figures: readonly Figure[]): void {
    for (const { name, unit, value } of figures) {
      let row = this.rows.find((row) => row.name === name && row.unit === unit);
      if (!row) this.rows.push(row = { name, unit, samples: {} });
      (row.samples[who] ??= []).push(value);
    }
  }

  /** Adds what a measurement gives; where it fails, that and later ones of its kind are left out. */
  async attempt(what: string, who: string, act: () => Promise<Figure[]>): Promise<void> {
    const measured = `${what} of ${who}`;
    if (this.leftOut.has(measured)) return;
    try {
      this.add(who, await act());
    } catch (error) {
      this.leftOut.set(measured, (error as Error).message);
    }
  }
}

/** A row of the table: absolute medians, and what the last one is of each other. */
export interface Line {
  readonly name: string;
  readonly unit: string;
  readonly others: readonly (number | undefined)[];
  readonly own: number | undefined;
  readonly ratios: readonly (number | undefined)[];
}

/** Who ugate is compared with. */
export const OTHERS: readonly string[] = ["direct", "haproxy", "nginx"];
/** The same of HTTP. */
export const HTTP_OTHERS: readonly string[] = [...OTHERS, "caddy"];

/** A line for ugate of each row, and one more where the compiled program was measured too. */
export function linesOf(rows: readonly Row[], compared = OTHERS): Line[] {
  return rows.flatMap(({ name, unit, samples }) => {
    const at = (who: string) => median(samples[who] ?? []);
    const others = compared.map(at);
    const line = (own: number | undefined, name: string): Line => (
      { name, unit, others, own, ratios: others.map((other) => ratio(own, other)) }
    );
    const compiled = at("compiled");
    return [
      ...compiled === undefined || samples.ugate ? [line(at("ugate"), name)] : [],
      ...compiled === undefined ? [] : [line(compiled, `${name}, compiled`)],
    ];
  });
}

const ratio = (a: number | undefined, b: number | undefined) => a === undefined || !b ? undefined : a / b;

/** The table for a terminal. */
export function table(rows: readonly Row[], compared = OTHERS): string[] {
  const cells = linesOf(rows, compared).map(({ name, unit, others, own, ratios }, at, lines) => [
    name === lines[at - 1]?.name ? "" : name,
    unit,
    ...[...others, own, ...ratios].map(number),
  ]);
  const head = ["", "", ...compared, "ugate", ...compared.map((who) => `/${who}`)];
  const widths = head.map((_, column) => Math.max(...[head, ...cells].map((line) => line[column].length)));
  const padded = (cell: string, column: number) =>
    column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
  return [head, ...cells].map((line) => line.map(padded).join("  "));
}

/** Three digits that count; nothing for what was not measured. */
export function number(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "";
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}
