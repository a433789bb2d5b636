/** Numbers and times as people read them. */

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `[number, unit]` of an amount of bytes: three digits that count. */
export function bytes(amount) {
  let size = 0;
  while (amount >= 1000 && size < SIZES.length - 1) {
    amount /= 1024;
    size++;
  }
  return [size === 0 ? String(Math.round(amount)) : digits(amount), SIZES[size]];
}

export const bytesText = (amount) => bytes(amount).join(" ");

/** Three digits that count, at most one behind the point. */
export const digits = (number) =>
  number >= 100 || number === 0 ? count(Math.round(number)) : number.toFixed(1);

/** With a mark between thousands. */
export const count = (number) => number.toLocaleString("en");

/** Milliseconds, or seconds. */
export const shortTime = (ms) => ms < 1000 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`;

/** A length of time: its two largest units. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

export const clock = (time) => new Date(time).toLocaleTimeString("en-GB");

export const date = (time) =>
  new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
