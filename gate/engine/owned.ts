/**
 * Which engine owns which descriptor. A thread that dies leaves its descriptors open and only numbers behind: they
 * stand in memory that main shares, so that it can close them.
 */
import { libc } from "./sys.ts";

/** Descriptors beyond are not recorded: the kernel gives the lowest free number, so that many would have to be open. */
const MOST = 1 << 20;
/** Bytes of the shared memory: touched only where descriptors are. */
export const OWNERS_SIZE = 2 * MOST;

let owners: Uint16Array | undefined;
let me = 0;
/** Opened before this thread was told who it is. */
const early: number[] = [];

/** This thread is engine number `engine`: what it opens is recorded from now on. */
export function ownAs(shared: SharedArrayBuffer, engine: number): void {
  owners = new Uint16Array(shared);
  me = engine + 1;
  for (const fd of early.splice(0)) owners[fd] = me;
}

/** Records a descriptor that was opened just now; answers it. A negative one is none. */
export function owned(fd: number): number {
  if (fd < 0) return fd;
  if (owners) owners[fd] = me;
  else early.push(fd);
  return fd;
}

/** Closes a descriptor of this thread. It is struck off before: its number may be another thread's at once. */
export function closeOwned(fd: number): void {
  disown(fd);
  libc.close(fd);
}

/** It is not this thread's any more. */
export function disown(fd: number): void {
  if (owners) owners[fd] = 0;
  else if (early.includes(fd)) early.splice(early.indexOf(fd), 1);
}

/**
 * A descriptor that one thread sent to another, from then on the other's: by the thread that passes the message on. false:
 * the first one has died meanwhile, and the number may be anybody's.
 */
export function passOn(shared: SharedArrayBuffer, fd: number, from: number, to: number): boolean {
  return Atomics.compareExchange(new Uint16Array(shared), fd, from + 1, to + 1) === from + 1;
}

/** Closes what a dead engine left open; how many there were. */
export function closeAllOf(shared: SharedArrayBuffer, engine: number): number {
  const table = new Uint16Array(shared);
  let closed = 0;
  for (let fd = table.indexOf(engine + 1); fd >= 0; fd = table.indexOf(engine + 1, fd + 1)) {
    table[fd] = 0;
    libc.close(fd);
    closed++;
  }
  return closed;
}
