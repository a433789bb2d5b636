/**
 * Files below a directory, by libc: opened so that the kernel lets no path and no link out of it, and sent to sockets
 * without coming into user space. These calls may wait for the disk: they are for a thread that serves files alone.
 */
import { GateError } from "../errors.ts";
import { EACCES, EAGAIN, ECONNRESET, EINTR, EMFILE, ENFILE, ENOMEM, ENOSYS, ENOTCONN } from "./layout.ts";
import { EPERM, EPIPE, errnoName, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_PATH } from "./layout.ts";
import { closeOwned, owned } from "./owned.ts";
import { isReserved } from "./reserve.ts";
import { errno, layout } from "./sys.ts";

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  /** openat2 has no function of its own in older libraries. */
  syscall: { parameters: ["i64", "i32", "buffer", "buffer", "usize"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  sendfile: { parameters: ["i32", "i32", "buffer", "u32"], result: "i32" },
});

/** The same number on every CPU; Linux 5.6. */
const OPENAT2 = 437n, HOW_SIZE = 24n;
const RESOLVE_NO_MAGICLINKS = 2n, RESOLVE_BENEATH = 8n;
const AT_EMPTY_PATH = 0x1000, STATX_TYPE_SIZE_MTIME = 0x1 | 0x40 | 0x200;
const S_IFMT = 0xf000, S_IFREG = 0x8000, S_IFDIR = 0x4000;

/** struct open_how: flags, mode, resolve; u64 each. */
const how = new BigUint64Array([
  BigInt(O_NONBLOCK | O_CLOEXEC | O_NOCTTY), // a pipe in the directory is not waited for
  0n,
  RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
]);
const howBytes = new Uint8Array(how.buffer);
/** struct statx: the same on every CPU. */
const stat = new Uint8Array(256), statView = new DataView(stat.buffer);
const NO_NAME = new Uint8Array(1);
const offset = new BigInt64Array(1), offsetBytes = new Uint8Array(offset.buffer);
const encoder = new TextEncoder();

export interface OpenFile extends Disposable {
  readonly fd: number;
  readonly kind: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  /** Of its last change: seconds since the epoch, and nanoseconds. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

/**
 * Opens what `path` (relative, octets of a file name, no NUL) is below `directory`. undefined: nothing of that name is
 * there, or it leads out. Throws GateError: `denied` where this user may not read it, `exhausted` without a descriptor.
 */
export function openBeneath(directory: string, path: Uint8Array): OpenFile | undefined {
  const root = libc.open(terminated(encoder.encode(directory)), O_PATH | layout.O_DIRECTORY | O_CLOEXEC);
  const rootFault = root < 0 ? errno() : 0;
  if (owned(root) < 0) return absent(rootFault);
  try {
    const fd = libc.syscall(OPENAT2, root, terminated(path), howBytes, HOW_SIZE);
    const fault = fd < 0 ? errno() : 0;
    if (owned(fd) < 0) return absent(fault);
    if (isReserved(fd)) {
      closeOwned(fd);
      return absent(EMFILE);
    }
    return describe(fd);
  } finally {
    closeOwned(root);
  }
}

/** Octets of the file from `at` on, into `into`; fewer where it ends before. Throws GateError. */
export function readFileAt(fd: number, into: Uint8Array, at: number): number {
  let size = 0;
  while (size < into.length) {
    const n = libc.pread(fd, into.subarray(size), into.length - size, BigInt(at + size));
    const code = n < 0 ? errno() : 0;
    if (code === EINTR) continue;
    if (n < 0) throw cannotRead(code);
    if (n === 0) break;
    size += n;
  }
  return size;
}

/**
 * Octets of the file that went to the socket; 0: the file ends here; -1: the socket takes none now; -2: its peer is gone.
 * Throws GateError where the file cannot be read.
 */
export function sendFile(socket: number, fd: number, at: number, most: number): number {
  for (;;) {
    offset[0] = BigInt(at);
    const n = libc.sendfile(socket, fd, offsetBytes, most);
    if (n >= 0) return n;
    const code = errno();
    if (code === EINTR) continue;
    if (code === EAGAIN) return -1;
    if (GONE.includes(code)) return -2;
    throw cannotRead(code);
  }
}

const GONE: readonly number[] = [EPIPE, ECONNRESET, ENOTCONN];

function describe(fd: number): OpenFile {
  const failed = libc.statx(fd, NO_NAME, AT_EMPTY_PATH, STATX_TYPE_SIZE_MTIME, stat) < 0 ? errno() : 0;
  if (failed !== 0) {
    closeOwned(fd);
    throw cannotRead(failed);
  }
  const type = statView.getUint16(28, true) & S_IFMT;
  return {
    fd,
    kind: type === S_IFREG ? "file" : type === S_IFDIR ? "directory" : "other",
    size: Number(statView.getBigUint64(40, true)),
    seconds: Number(statView.getBigInt64(112, true)),
    nanoseconds: statView.getUint32(120, true),
    [Symbol.dispose]: () => closeOwned(fd),
  };
}

/** Whatever else keeps a name from being opened (a link that leads out, one too long, a socket): it is not there. */
function absent(code: number): undefined {
  if (code === EACCES || code === EPERM) {
    throw new GateError("denied", "gate", `Cannot open a file: ${errnoName(code)}`);
  }
  if (code === EMFILE || code === ENFILE || code === ENOMEM) {
    throw new GateError("exhausted", "gate", `Cannot open a file: ${errnoName(code)}`);
  }
  if (code === ENOSYS) {
    throw new GateError("internal", "gate", "Cannot open a file: Linux 5.6 is needed for that");
  }
  return undefined;
}

const cannotRead = (code: number) =>
  new GateError("internal", "gate", `Cannot read a file: ${errnoName(code)}`);

function terminated(path: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(path.length + 1);
  bytes.set(path);
  return bytes;
}
