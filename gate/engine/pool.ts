/**
 * Pipes for splice, pooled. A direction borrows one only while bytes are in it, so thousands of connections share a few.
 * They are large where the kernel permits: each splice then moves up to 1 MiB.
 */
import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from "./layout.ts";
import { closeOwned, owned } from "./owned.ts";
import { isReserved } from "./reserve.ts";
import { libc } from "./sys.ts";

export interface Pipe {
  readonly read: number;
  readonly write: number;
  /** Bytes it can hold. */
  readonly size: number;
}

export const PIPE_SIZE = 65536;
/** Asked for in this order; the kernel refuses them beyond a user's pipe-user-pages-soft (64 MiB in all). */
const LARGE = [1 << 20, 1 << 18];
/** Idle ones that are kept: half of what a user may have. */
const KEPT = 32;

const idle: Pipe[] = [];
const ends = new Int32Array(2), endBytes = new Uint8Array(ends.buffer);

/** An empty pipe; undefined: no descriptor is left for one. */
export function borrowPipe(): Pipe | undefined {
  return idle.pop() ?? makePipe();
}

/** Gives back a pipe; one with bytes in it is closed, never pooled. */
export function returnPipe(pipe: Pipe, empty: boolean): void {
  if (empty && idle.length < KEPT) {
    idle.push(pipe);
    return;
  }
  closeOwned(pipe.read);
  closeOwned(pipe.write);
}

function makePipe(): Pipe | undefined {
  if (libc.pipe2(endBytes, O_NONBLOCK | O_CLOEXEC) < 0) return undefined;
  const read = owned(ends[0]), write = owned(ends[1]);
  if (isReserved(read) || isReserved(write)) return void returnPipe({ read, write, size: 0 }, false);
  for (const size of LARGE) if (libc.fcntl(write, F_SETPIPE_SZ, size) >= size) return { read, write, size };
  return { read, write, size: PIPE_SIZE };
}
