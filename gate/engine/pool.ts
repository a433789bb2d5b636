/**
 * Pipes for splice, pooled by size. A direction borrows one only while bytes are in it, so thousands of connections
 * share a few. What moves a lot gets a large one: each splice then moves up to 1 MiB.
 */
import { EMFILE, ENFILE, errnoName, F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from "./layout.ts";
import { errno, libc } from "./sys.ts";
import { GateError } from "../errors.ts";

export interface Pipe {
  readonly read: number;
  readonly write: number;
  /** Bytes it can hold. */
  readonly size: number;
}

export const PIPE_SIZE = 65536;
/** Asked for in this order; the kernel refuses them beyond a user's pipe-user-pages-soft (64 MiB in all). */
const LARGE = [1 << 20, 1 << 18];
/** Idle ones that are kept of each kind. */
const KEPT = 64;

const small: Pipe[] = [], large: Pipe[] = [];
const ends = new Int32Array(2), endBytes = new Uint8Array(ends.buffer);
let open = 0;

/** How many pipes are open on this thread. */
export const openPipes = (): number => open;

/** An empty pipe, a large one where it can be had. Throws "exhausted". */
export function borrowPipe(wantLarge: boolean): Pipe {
  const pooled = wantLarge ? large.pop() : small.pop();
  return pooled ?? makePipe(wantLarge);
}

/** Gives back a pipe; one with bytes in it is closed, never pooled. */
export function returnPipe(pipe: Pipe, empty: boolean): void {
  const pool = pipe.size > PIPE_SIZE ? large : small;
  if (empty && pool.length < KEPT) {
    pool.push(pipe);
    return;
  }
  libc.close(pipe.read);
  libc.close(pipe.write);
  open--;
}

function makePipe(wantLarge: boolean): Pipe {
  if (libc.pipe2(endBytes, O_NONBLOCK | O_CLOEXEC) < 0) {
    const code = errno();
    const what = code === EMFILE || code === ENFILE ? "no descriptor is left" : errnoName(code);
    throw new GateError("exhausted", "gate", `Cannot make a pipe: ${what}`);
  }
  open++;
  const [read, write] = ends;
  if (wantLarge) {
    for (const size of LARGE) if (libc.fcntl(write, F_SETPIPE_SZ, size) >= size) return { read, write, size };
  }
  return { read, write, size: PIPE_SIZE };
}
