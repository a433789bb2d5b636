/** Aligned columns that fit a terminal: what may be cut is cut, then what is least needed is left out. */
import { columnsOf, cut, visible } from "../visible.ts";

export interface Column<Row> {
  readonly title: string;
  /** As it is, from wherever it came; "": nothing. */
  readonly cell: (row: Row) => string;
  /** Numbers stand right. */
  readonly right?: boolean;
  /** May be cut to this width. Absent: it is never cut. */
  readonly least?: number;
  /** Left out, the highest first, where cutting is not enough. Absent: it always stays. */
  readonly spare?: number;
}

interface Laid {
  readonly cells: readonly string[];
  readonly width: number;
  readonly least: number;
  readonly spare: number;
  readonly right: boolean;
}

const GAP = 2;

/** The lines, titles first, none of them wider than `width` columns. A column with nothing in it is left out. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width = Infinity,
): string[] {
  const laid = columns.map((column) => lay(column, rows)).filter((column) => column !== undefined);
  const fitted = fit(laid, width);
  return ["", ...rows].map((_, line) =>
    cut(
      fitted.map((column, at) => padded(column, line, at === fitted.length - 1)).join(" ".repeat(GAP)),
      width,
    )
  );
}

function lay<Row>(column: Column<Row>, rows: readonly Row[]): Laid | undefined {
  const texts = rows.map((row) => visible(column.cell(row)));
  if (rows.length > 0 && texts.every((text) => text === "")) return undefined;
  const cells = [column.title, ...texts.map((text) => text || "-")];
  const width = cells.reduce((most, cell) => Math.max(most, columnsOf(cell)), 0);
  const least = Math.min(width, Math.max(column.least ?? width, columnsOf(column.title)));
  return { cells, width, least, spare: column.spare ?? 0, right: column.right ?? false };
}

function fit(columns: readonly Laid[], width: number): readonly Laid[] {
  let kept = columns;
  while (total(kept.map(({ least }) => least)) > width) {
    const spare = Math.max(...kept.map(({ spare }) => spare));
    if (spare === 0) break;
    kept = kept.filter((column) => column.spare !== spare);
  }
  const widths = kept.map((column) => column.width);
  for (let over = total(widths) - width; over > 0; over--) {
    const widest = kept.reduce(
      (best, { least }, at) => widths[at] > least && widths[at] > (widths[best] ?? 0) ? at : best,
      -1,
    );
    if (widest < 0) break;
    widths[widest]--;
  }
  return kept.map((column, at) => ({ ...column, width: widths[at] }));
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, widths.length - 1);
}

function padded({ cells, width, right }: Laid, line: number, last: boolean): string {
  const text = cut(cells[line], width);
  const space = " ".repeat(width - columnsOf(text));
  return right ? space + text : last ? text : text + space;
}
