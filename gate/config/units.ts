/** Durations and sizes as ugate.yaml spells them. */

export const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
export const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** From ms, in the largest unit that it is a whole number of: `500ms`, `3s`, `90s`, `1h`. */
export const formatDuration = (ms: number): string => inUnits(ms, MILLISECONDS, "s");

/** From bytes: `1500B`, `64KiB`, `10MiB`. */
export const formatSize = (bytes: number): string => inUnits(bytes, BYTES, "B");

/** `none`: the unit of 0. */
function inUnits(amount: number, units: Readonly<Record<string, number>>, none: string): string {
  if (amount === 0) return `0${none}`;
  const [unit, size] = Object.entries(units).findLast(([, size]) => amount % size === 0)!;
  return `${amount / size}${unit}`;
}
