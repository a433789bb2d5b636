/** Medians of the samples, as a table of absolute numbers and ratios. */
import type { Idle, Sample } from "./measure.ts";

/** One line: what was measured, in which unit, and the samples of each contender. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

export function median(samples: readonly number[]): number | undefined {
  if (samples.length === 0) return undefined;
  const sorted = samples.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The lines of a table: a column for each contender, then ugate in relation to the others. */
export function table(rows: readonly Row[]): string[] {
  const cells = rows.map(({ name, unit, samples }) => {
    const at = (who: string) => median(samples[who] ?? []);
    const mine = at("ugate");
    const numbers = [
      at("direct"),
      at("haproxy"),
      mine,
      ratio(mine, at("haproxy")),
      ratio(mine, at("direct")),
    ];
    return [name, unit, ...numbers.map(number)];
  });
  const all = [["", "", "direct", "haproxy", "ugate", "/haproxy", "/direct"], ...cells];
  const widths = all[0].map((_, column) => Math.max(...all.map((line) => line[column].length)));
  return all.map((line) =>
    line.map((cell, column) => column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join(
      "  ",
    )
  );
}

const ratio = (a: number | undefined, b: number | undefined) => a === undefined || !b ? undefined : a / b;

/** Three digits that count; nothing for what was not measured. */
function number(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Two lines, or none where nobody could be measured: the rate, and what it cost where someone stood between. */
export function rowsOf(
  name: string,
  units: readonly [string, string],
  samples: Record<string, Sample[]>,
): Row[] {
  if (Object.keys(samples).length === 0) return [];
  const pick = (key: keyof Sample) =>
    Object.fromEntries(
      Object.entries(samples).map(([who, list]) => [
        who,
        list.map((one) => one[key]).filter((n) => n !== undefined),
      ]),
    );
  return [{ name, unit: units[0], samples: pick("rate") }, {
    name: "",
    unit: units[1],
    samples: pick("cost"),
  }];
}

export function idleRows(samples: Record<string, Idle[]>): Row[] {
  const pick = (name: string, unit: string, key: keyof Idle): Row => ({
    name,
    unit,
    samples: Object.fromEntries(
      Object.entries(samples).map(([who, list]) => [who, list.map((one) => one[key])]),
    ),
  });
  return [
    pick("idle connection, sni", "KiB", "connection"),
    pick("process without load", "KiB", "process"),
    pick("start to first accept", "ms", "startup"),
  ];
}
