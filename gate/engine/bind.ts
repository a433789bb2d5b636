/** Listening sockets: made once for each address on the main thread, shared by all engines. */
import { formatTarget, isUnixHost, type Target } from "../address.ts";
import { type Failure, GateError } from "../errors.ts";
import { AF_INET6, AF_UNIX, EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EMFILE } from "./layout.ts";
import { ENFILE, ENOBUFS, ENOENT, ENOMEM, ENOTDIR, EROFS, errnoName } from "./layout.ts";
import { IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./layout.ts";
import { SOCK_STREAM, SOL_SOCKET } from "./layout.ts";
import { localAddress, type SocketAddress, socketAddress } from "./sockaddr.ts";
import { OWNERS, removeDead, removeDeadPrivate, SocketFile, takeFreeTurn, takeTurn } from "./socket_file.ts";
import { errno, libc, setOption, tuneTcp } from "./sys.ts";

/** Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 4096;

export interface ListeningSocket {
  readonly fd: number;
  /** With the port that the kernel chose, where 0 was asked for. */
  readonly address: Target;
  /**
   * Removes the file of a unix socket, if it is still this socket's, and gives the descriptor back: connections that
   * nobody accepted are reset. Once; later calls do nothing.
   */
  close(): void;
}

/**
 * `host` "" is every address, IPv6 and IPv4. A unix socket takes the place of one whose process is dead; its mode is
 * 0777 without the process's umask, and who may write may connect. Throws GateError with the reason in words.
 */
export function listenOn(target: Target): ListeningSocket {
  if (isPath(target)) return listenAtPath(target);
  if (target.host !== "") return listenAt(target, socketAddress(target), false);
  try {
    return listenAt(target, socketAddress({ ...target, host: "::" }), true);
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.failure !== "unsupported") throw thrown;
    return listenAt(target, socketAddress({ ...target, host: "0.0.0.0" }), false); // a kernel without IPv6
  }
}

function listenAt(target: Target, to: SocketAddress, dualStack: boolean): ListeningSocket {
  const fd = open(target, to.family);
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (to.family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, dualStack ? 0 : 1);
  if (to.family !== AF_UNIX) tuneTcp(fd); // accepted sockets inherit it
  const code = bind(fd, to) || listen(fd);
  if (code !== 0) {
    libc.close(fd);
    throw cannot(target, code);
  }
  const address = to.family === AF_UNIX
    ? target
    : { host: target.host, port: localAddress(fd)?.port ?? target.port };
  return { fd, address, close: once(() => libc.close(fd)) };
}

/**
 * At a path where nothing is, or what a gate of this user has left there that was killed; for this user alone: mode 0600.
 * It never waits: without a turn it removes nothing. Throws GateError as listenOn.
 */
export function listenAnew(target: Target): ListeningSocket {
  const to = socketAddress(target), fd = open(target, AF_UNIX);
  using turn = takeFreeTurn(pathOf(target));
  let code = libc.fchmod(fd, OWNERS) < 0 ? errno() : bind(fd, to); // the file gets the mode that the socket has
  if (code === EADDRINUSE && turn && removeDeadPrivate(pathOf(target))) code = bind(fd, to);
  const file = code === 0 ? SocketFile.at(pathOf(target)) : undefined, failed = code || listen(fd);
  const close = once(() => {
    file?.remove();
    libc.close(fd);
  });
  if (failed === 0) return { fd, address: target, close };
  close();
  throw cannot(target, failed);
}

/** From bind until it listens a socket looks dead to others, so all of it is one turn. */
function listenAtPath(target: Target): ListeningSocket {
  const path = pathOf(target), to = socketAddress(target);
  const fd = open(target, AF_UNIX);
  using _turn = takeTurn(path);
  let code = bind(fd, to);
  if (code === EADDRINUSE && removeDead(path)) code = bind(fd, to);
  const file = code === 0 ? SocketFile.at(path) : undefined;
  code ||= listen(fd);
  if (code !== 0) {
    file?.remove();
    libc.close(fd);
    throw cannot(target, code);
  }
  return { fd, address: target, close: once(() => closeAtPath(fd, path, file)) };
}

/** The file goes first: while the descriptor is open, another socket at its path cannot be taken for it. */
function closeAtPath(fd: number, path: string, file: SocketFile | undefined): void {
  using _turn = takeTurn(path);
  file?.remove();
  libc.close(fd);
}

function open(target: Target, family: number): number {
  const fd = libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw cannot(target, errno());
  return fd;
}

/** 0, or errno. */
const bind = (fd: number, to: SocketAddress): number => libc.bind(fd, to.bytes, to.size) < 0 ? errno() : 0;
const listen = (fd: number): number => libc.listen(fd, BACKLOG) < 0 ? errno() : 0;

/** A closed descriptor's number may be somebody else's at once. */
function once(close: () => void): () => void {
  let closed = false;
  return () => {
    if (!closed) close();
    closed = true;
  };
}

const isPath = ({ host }: Target): boolean => isUnixHost(host) && !host.startsWith("unix:@");
const pathOf = ({ host }: Target): string => host.slice("unix:".length);

const REASONS: Readonly<Record<number, string>> = {
  [EADDRINUSE]: "another program has it",
  [EACCES]: "not permitted (ports below 1024 need CAP_NET_BIND_SERVICE)",
  [EADDRNOTAVAIL]: "this machine has no such address",
};

const PATH_REASONS: Readonly<Record<number, string>> = {
  [EADDRINUSE]: "another program listens there",
  [EACCES]: "this user may not write into its directory",
  [ENOENT]: "its directory is not there",
  [ENOTDIR]: "its directory is a file",
  [EROFS]: "its filesystem is read-only",
};

const FAILURES: Readonly<Record<number, Failure>> = {
  [EAFNOSUPPORT]: "unsupported",
  [EMFILE]: "exhausted",
  [ENFILE]: "exhausted",
  [ENOBUFS]: "exhausted",
  [ENOMEM]: "exhausted",
};

function cannot(target: Target, code: number): GateError {
  const reason = isPath(target) ? pathReason(target, code) : REASONS[code];
  const message = `Cannot listen on ${formatTarget(target)}: ${reason ?? errnoName(code)}`;
  return new GateError(FAILURES[code] ?? "refused", "gate", message);
}

function pathReason(target: Target, code: number): string | undefined {
  if (code === EADDRINUSE && !SocketFile.at(pathOf(target))) return "there is a file that is no socket";
  return PATH_REASONS[code];
}
