/** Times of `expiry-time` (sshd(8)): YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in local time, or in UTC with a Z. */
import { Refusal } from "./fields.ts";

const TIME = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(Z|UTC)?$/i;

/** ms since the epoch. Local time is this thread's. */
export function readExpiry(text: string): number | Refusal {
  const found = TIME.exec(text);
  if (!found) {
    return new Refusal(
      `expected a time as 20301231, 203012312359 or 20301231235959Z, got ${JSON.stringify(text)}`,
    );
  }
  const [year, month, day, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map((part) =>
    part && Number(part)
  );
  const parts = [year, Number(month) - 1, day, hour, minute, second].map(Number) as Parts;
  const utc = Date.UTC(...parts);
  const right = new Date(utc).toISOString().replace(/[-:T]/g, "").slice(0, 14) === digits(parts);
  if (!right) return new Refusal(`there is no such time: ${JSON.stringify(text)}`);
  return found[7] ? utc : new Date(...parts).getTime();
}

type Parts = [year: number, month: number, day: number, hour: number, minute: number, second: number];

const digits = ([year, month, ...rest]: Parts): string =>
  [String(year).padStart(4, "0"), ...[month + 1, ...rest].map((part) => String(part).padStart(2, "0"))].join(
    "",
  );
