/** Listening sockets: made once for each address on the main thread, shared by all engines. */
import type { Target } from "../contracts.ts";
import { formatTarget, isUnixHost } from "../address.ts";
import { GateError } from "../errors.ts";
import { AF_INET6, AF_UNIX, EACCES, EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, errnoName } from "./layout.ts";
import { IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./layout.ts";
import { SOCK_STREAM, SOL_SOCKET } from "./layout.ts";
import { localAddress, type SocketAddress, socketAddress } from "./sockaddr.ts";
import { errno, libc, setOption, tuneTcp } from "./sys.ts";

/** Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 4096;

export interface ListeningSocket {
  readonly fd: number;
  /** With the port that the kernel chose, where 0 was asked for. */
  readonly address: Target;
  /** Closes, and removes the file of a unix socket. */
  close(): void;
}

/** `host` "" is every address, IPv6 and IPv4. Throws GateError with the reason in words. */
export function listenOn(target: Target): ListeningSocket {
  if (target.host !== "") return bind(target, socketAddress(target), false);
  try {
    return bind(target, socketAddress({ ...target, host: "::" }), true);
  } catch (thrown) {
    if (!(thrown instanceof GateError) || thrown.failure !== "unsupported") throw thrown;
    return bind(target, socketAddress({ ...target, host: "0.0.0.0" }), false); // a kernel without IPv6
  }
}

function bind(target: Target, to: SocketAddress, dualStack: boolean): ListeningSocket {
  const fd = libc.socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw cannot(target, errno(), "unsupported");
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (to.family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, dualStack ? 0 : 1);
  if (to.family !== AF_UNIX) tuneTcp(fd); // accepted sockets inherit it
  let code = bindOnce(fd, to);
  const path = target.host.slice(5);
  if (code === EADDRINUSE && isPath(target) && isAbandoned(path, to) && wasRemoved(path)) {
    code = bindOnce(fd, to);
  }
  if (code === 0 && libc.listen(fd, BACKLOG) < 0) code = errno();
  if (code !== 0) {
    libc.close(fd);
    throw cannot(target, code, "refused");
  }
  const address = to.family === AF_UNIX
    ? target
    : { host: target.host, port: localAddress(fd)?.port ?? target.port };
  return { fd, address, close: () => closeListening(fd, target) };
}

const bindOnce = (fd: number, to: SocketAddress): number =>
  libc.bind(fd, to.bytes, to.size) < 0 ? errno() : 0;

const isPath = ({ host }: Target): boolean => isUnixHost(host) && !host.startsWith("unix:@");

/** A unix socket whose process is dead refuses; one that answers is somebody's, and so is any other file. */
function isAbandoned(path: string, to: SocketAddress): boolean {
  try {
    if (!Deno.lstatSync(path).isSocket) return false;
  } catch {
    return false; // it cannot be looked at, so nobody can tell: the address stays in use
  }
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const code = libc.connect(fd, to.bytes, to.size) < 0 ? errno() : 0;
  libc.close(fd);
  return code === ECONNREFUSED;
}

function wasRemoved(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (thrown) {
    return thrown instanceof Deno.errors.NotFound; // else it may not be removed: the address stays in use
  }
}

function closeListening(fd: number, target: Target): void {
  libc.close(fd);
  if (!isPath(target)) return;
  try {
    Deno.removeSync(target.host.slice(5));
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  [EADDRINUSE]: "another program has it",
  [EACCES]: "not permitted (ports below 1024 need CAP_NET_BIND_SERVICE)",
  [EADDRNOTAVAIL]: "this machine has no such address",
};

function cannot(target: Target, code: number, failure: "unsupported" | "refused"): GateError {
  return new GateError(
    failure,
    "gate",
    `Cannot listen on ${formatTarget(target)}: ${REASONS[code] ?? errnoName(code)}`,
  );
}
