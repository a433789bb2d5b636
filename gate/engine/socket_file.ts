/**
 * The file of a unix socket: who may replace it, and who removes it. Looking whether a socket is dead and taking its
 * place are several steps, and a socket that is bound but does not listen yet looks dead: gates take turns.
 */
import { AF_UNIX, ECONNREFUSED, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./layout.ts";
import type { SocketAddress } from "./sockaddr.ts";
import { errno, libc } from "./sys.ts";

/** A gate has its turn for microseconds; who holds the directory longer is no gate, and is not waited for. */
const TURN_TIME = 1000, TURN_PAUSE = 10;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * This gate's turn in the socket's directory, until it is disposed: an flock, which a dead process does not hold. It
 * may block for a second. undefined: there is no lock to be had (no such directory, a filesystem without locks).
 */
export function takeTurn(path: string): Disposable | undefined {
  let directory: Deno.FsFile | undefined;
  try {
    directory = Deno.openSync(path.slice(0, path.lastIndexOf("/")) || "/");
    const late = performance.now() + TURN_TIME;
    while (!directory.tryLockSync(true) && performance.now() < late) {
      Atomics.wait(sleeper, 0, 0, TURN_PAUSE);
    }
    return directory;
  } catch {
    directory?.close();
    return undefined; // what is wrong with the directory, bind tells
  }
}

/** Which file of the disk a path is: one that another process put in its place is another one. */
export class SocketFile {
  private constructor(readonly path: string, readonly dev: number, readonly inode: number | null) {}

  /** undefined: no socket is there, or nobody may look. */
  static at(path: string): SocketFile | undefined {
    try {
      const { isSocket, dev, ino } = Deno.lstatSync(path);
      return isSocket ? new SocketFile(path, dev, ino) : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Removes the file if it is still this one; false: another one is there, or it may not be removed. While a
   * descriptor holds the socket, no other file gets its inode.
   */
  remove(): boolean {
    const now = SocketFile.at(this.path);
    if (now?.dev !== this.dev || now.inode !== this.inode) return false;
    try {
      Deno.removeSync(this.path);
      return true;
    } catch {
      return false;
    }
  }
}

/** A socket whose process is dead refuses. One with a full queue (EAGAIN) is alive, and so is one that answers. */
export function isDead(to: SocketAddress): boolean {
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const code = libc.connect(fd, to.bytes, to.size) < 0 ? errno() : 0;
  libc.close(fd);
  return code === ECONNREFUSED;
}
