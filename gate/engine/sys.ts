/**
 * libc by FFI: one dlopen and one view of errno per thread. Lengths are u32 and results i32, for usize and isize would
 * cost a BigInt a call. errno is to be read on the very next statement: an allocation between may overwrite it.
 */
import {
  AF_UNIX,
  EINTR,
  IPPROTO_TCP,
  type Layout,
  LAYOUTS,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SOL_SOCKET,
} from "./layout.ts";
import { TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY } from "./layout.ts";

const library = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "u32", "u32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
});

export const libc = library.symbols;

const location = libc.__errno_location();
if (location === null) throw new Error("Cannot read errno: libc gave no place");
const errnoView = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
export const errno = (): number => errnoView[0];

/** The layout of this CPU's structures. */
export const layout: Layout = LAYOUTS[Deno.build.arch];

const int = new Int32Array(2), intBytes = new Uint8Array(int.buffer);
const length = new Uint32Array(1), lengthBytes = new Uint8Array(length.buffer);

/** setsockopt with an int; 0, or -1 with errno set. */
export function setOption(fd: number, level: number, name: number, value: number): number {
  int[0] = value;
  return libc.setsockopt(fd, level, name, intBytes, 4);
}

/** getsockopt of an int; -1 where it fails. */
export function getOption(fd: number, level: number, name: number): number {
  int[0] = 0;
  length[0] = 4;
  return libc.getsockopt(fd, level, name, intBytes, lengthBytes) < 0 ? -1 : int[0];
}

/** The pending error of a socket, which reading clears; 0: none. */
export const socketError = (fd: number): number => getOption(fd, SOL_SOCKET, SO_ERROR);

/** Small writes leave at once. */
export function tuneTcp(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/** A dead peer is noticed after 2 minutes of silence and 4 unanswered probes. */
export function tuneKeepalive(fd: number, family: number): void {
  keepAlive(fd, family, 120, 15, 4);
}

/**
 * Of a peer that sent FIN: is it still there? Who waits for the rest answers probes. The kernel of one that has closed
 * answers them for a while too (Linux a minute), and then by a reset.
 */
export function probeEnded(fd: number, family: number): void {
  keepAlive(fd, family, 10, 10, 6);
}

/** Times in s. Nothing for unix sockets. */
function keepAlive(fd: number, family: number, idle: number, interval: number, probes: number): void {
  if (family === AF_UNIX) return;
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
}

/** Closes a TCP socket so that its peer sees a reset: linger of no seconds. Other sockets just close. */
export function resetAndClose(fd: number): void {
  int[0] = 1;
  int[1] = 0;
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, intBytes, 8);
  libc.close(fd);
}

const eight = new Uint8Array(8);
eight[0] = 1;

/** Adds one to an eventfd: its reader wakes. */
export function signalEvent(fd: number): void {
  while (libc.write(fd, eight, 8) < 0 && errno() === EINTR);
}

const counter = new Uint8Array(8);

/** Empties an eventfd. */
export function clearEvent(fd: number): void {
  while (libc.read(fd, counter, 8) < 0 && errno() === EINTR);
}

const RLIMIT_NOFILE = 7;

/** Descriptors that this process may have open (`ulimit -n`); Infinity where nothing bounds them. */
export function openFilesLimit(): number {
  const bytes = new Uint8Array(16); // soft and hard limit, u64 each; RLIM_INFINITY is all ones
  if (libc.getrlimit(RLIMIT_NOFILE, bytes) < 0) return Infinity;
  const soft = new DataView(bytes.buffer).getBigUint64(0, true);
  return soft === 0xffff_ffff_ffff_ffffn ? Infinity : Number(soft);
}
