/** A clock that is the same on every thread of the process, and that nobody who sets the time moves. */
import { libc } from "./sys.ts";

const CLOCK_MONOTONIC = 1;
/** Seconds and nanoseconds, 64 bits each: the lower halves are enough for both. */
const time = new Uint32Array(4), timeBytes = new Uint8Array(time.buffer);

/** Microseconds since the machine started. */
export function sharedTime(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, timeBytes);
  return time[0] * 1e6 + Math.floor(time[2] / 1000);
}
