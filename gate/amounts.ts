/** Numbers as people read them: at most three or four digits and a unit. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const THOUSANDS = ["", "k", "M", "G"];
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/** `0B`, `1.5KiB`, `213MiB` */
export function bytesText(bytes: number): string {
  return scaled(bytes, 1024, UNITS);
}

/** `0`, `0.4`, `17`, `12.3k`: things, or things in a second. */
export function countText(count: number): string {
  return scaled(count, 1000, THOUSANDS);
}

/** `1 connection`, `12 connections` */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  // What would be rounded up to a whole step belongs to the next unit.
  while (Math.round(value) >= step && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  const digits = value >= 99.95 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)}${units[unit]}`;
}

/** A short time: `0.4ms`, `17ms`, `2.5s`. */
export function shortText(ms: number): string {
  const [value, unit] = ms < SECOND ? [ms, "ms"] : [ms / SECOND, "s"];
  return `${value.toFixed(value >= 9.95 || Number.isInteger(value) ? 0 : 1)}${unit}`;
}

/** How long, from ms: `0s`, `42s`, `2m10s`, `3h05m`, `4d03h`. */
export function spanText(ms: number): string {
  const two = (count: number) => String(Math.floor(count)).padStart(2, "0");
  if (!(ms >= 0)) return "0s"; // a clock that went back
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m${two(ms % MINUTE / SECOND)}s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h${two(ms % HOUR / MINUTE)}m`;
  return `${Math.floor(ms / DAY)}d${two(ms % DAY / HOUR)}h`;
}

/** Of this machine's clock: `14:03:12`, or `2026-03-01 14:03:12` where it is another day than `now`. */
export function clockText(at: Date, now = new Date()): string {
  const two = (count: number) => String(count).padStart(2, "0");
  const day = (date: Date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return day(at) === day(now) ? time : `${day(at)} ${time}`;
}
