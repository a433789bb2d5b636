/**
 * The file of a unix socket: who may replace it, and who removes it. Looking whether a socket is dead and taking its
 * place are several steps, and a socket that is bound but does not listen yet looks dead: gates take turns.
 */
import { AF_UNIX, ECONNREFUSED, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./layout.ts";
import { socketAddress } from "./sockaddr.ts";
import { errno, libc } from "./sys.ts";

/**
 * ms. A gate has its turn for microseconds; who holds the directory longer is no gate, and is not waited for, nor again
 * for a while: whoever may open the directory can lock it, and this thread stands still meanwhile.
 */
const TURN_TIME = 300, TURN_PAUSE = 5, GRUDGE = 60_000;
/** Directories that somebody keeps locked -> until when they are not waited for, by performance.now(). */
const occupied = new Map<string, number>();

/** Mode of what only its owner may read and write. */
export const OWNERS = 0o600;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * This gate's turn in the socket's directory, until it is disposed: an flock, which a dead process does not hold. It
 * may block for TURN_TIME. undefined: there is no lock to be had (no such directory, a filesystem without locks).
 */
export function takeTurn(path: string): Disposable | undefined {
  let directory: Deno.FsFile | undefined;
  try {
    const name = path.slice(0, path.lastIndexOf("/")) || "/";
    directory = Deno.openSync(name);
    const now = performance.now(), late = now + ((occupied.get(name) ?? 0) > now ? 0 : TURN_TIME);
    while (!directory.tryLockSync(true)) {
      if (performance.now() >= late) {
        occupied.set(name, now + GRUDGE);
        break;
      }
      Atomics.wait(sleeper, 0, 0, TURN_PAUSE);
    }
    return directory;
  } catch {
    directory?.close();
    return undefined; // what is wrong with the directory, bind tells
  }
}

/** The same without a wait; undefined: another one has it, or there is none to be had. */
export function takeFreeTurn(path: string): Disposable | undefined {
  let directory: Deno.FsFile | undefined;
  try {
    directory = Deno.openSync(path.slice(0, path.lastIndexOf("/")) || "/");
    if (directory.tryLockSync(true)) return directory;
  } catch {
    // a filesystem without locks, or no directory
  }
  directory?.close();
  return undefined;
}

/** Which file of the disk a path is: one that another process put in its place is another one. */
export class SocketFile {
  private constructor(readonly path: string, readonly dev: number, readonly inode: number | null) {}

  /** undefined: no socket is there, or nobody may look; `isPrivate`: or it is not for this user alone. */
  static at(path: string, isPrivate = false): SocketFile | undefined {
    try {
      const { isSocket, dev, ino, uid, mode } = Deno.lstatSync(path);
      if (isPrivate && (uid !== Deno.uid() || (mode! & 0o777) !== OWNERS)) return undefined;
      return isSocket ? new SocketFile(path, dev, ino) : undefined;
    } catch {
      return undefined;
    }
  }

  /** The same file at another path, where it takes the place of what is there. Throws what the system says. */
  renamed(path: string): SocketFile {
    Deno.renameSync(this.path, path);
    return new SocketFile(path, this.dev, this.inode);
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

/** Removes the socket that a dead process left at this path; false: nothing was removed. It takes a turn. */
export function removeDead(path: string): boolean {
  const found = SocketFile.at(path);
  return found !== undefined && isDead(path) && found.remove();
}

/**
 * The same of a socket of this user that nobody else may open, as those of clients are: what somebody else has left is not
 * ours to remove. For who has the turn.
 */
export function removeDeadPrivate(path: string): boolean {
  return SocketFile.at(path, true) !== undefined && removeDead(path);
}

/** A socket whose process is dead refuses. One with a full queue (EAGAIN) is alive, and so is one that answers. */
function isDead(path: string): boolean {
  const { bytes, size } = socketAddress({ host: `unix:${path}`, port: 0 });
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const code = libc.connect(fd, bytes, size) < 0 ? errno() : 0;
  libc.close(fd);
  return code === ECONNREFUSED;
}
