/**
 * Listening sockets that a service manager bound before the program began (socket activation). They stay its own: it
 * listens on while no gate runs, so nobody is refused, and their files are not ours to remove.
 */
import { formatTarget, type Target } from "../address.ts";
import { GateError } from "../errors.ts";
import type { ListeningSocket } from "./bind.ts";
import { AF_INET, AF_INET6, AF_UNIX, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, IPPROTO_IPV6 } from "./layout.ts";
import { IPV6_V6ONLY, O_NONBLOCK, SO_ACCEPTCONN, SO_TYPE, SOCK_STREAM, SOL_SOCKET } from "./layout.ts";
import { readSocketAddress, SOCKADDR_MAX } from "./sockaddr.ts";
import { getOption, libc, tuneTcp } from "./sys.ts";

/** sockaddr_un: where its path begins. */
const SUN_PATH = 2;

export interface InheritedSocket {
  readonly fd: number;
  readonly name: string;
  /** What it is bound to, host "" for IPv6 and IPv4; absent: it is no listening stream socket. */
  readonly address?: Target;
}

/** A listener's name, and one of its addresses. */
export interface Place {
  readonly listener: string;
  readonly address: Target;
}

/** One that serves goes by the listener's name and the address; port 0 and what was not bound for it never match. */
export class InheritedSockets implements Disposable {
  readonly #idle: InheritedSocket[];

  /** Prepares the descriptors: they block nobody, and no child gets them. */
  constructor(passed: readonly { readonly fd: number; readonly name: string }[]) {
    this.#idle = passed.map(({ fd, name }) => ({ fd, name, address: prepare(fd) }));
  }

  /**
   * At start, before anything is taken. Closes what is named like no listener, and answers a warning for each. Throws
   * GateError for one that is named like a listener and is not bound to an address of it.
   */
  sortOut(places: readonly Place[]): string[] {
    const warnings: string[] = [];
    for (const socket of [...this.#idle]) {
      const own = places.filter(({ listener }) => listener === socket.name);
      if (own.length === 0) warnings.push(this.#drop(socket));
      else if (!own.some((place) => serves(socket, place))) throw mismatch(socket, own);
    }
    return warnings;
  }

  /**
   * The socket for this place; undefined: none was passed, bind one. Its close() gives it back: the service manager
   * holds it anyway, so that a later configuration could not bind the address, but it can take the socket again.
   */
  take(place: Place): ListeningSocket | undefined {
    const at = this.#idle.findIndex((socket) => serves(socket, place));
    if (at < 0) return undefined;
    const [socket] = this.#idle.splice(at, 1);
    let taken = true;
    const close = () => {
      if (taken) this.#idle.push(socket);
      taken = false;
    };
    return { fd: socket.fd, address: place.address, close };
  }

  /** Closes what is not taken: the service manager's own descriptors of them are still open. */
  [Symbol.dispose](): void {
    for (const { fd, address } of this.#idle.splice(0)) if (address) libc.close(fd);
  }

  #drop(socket: InheritedSocket): string {
    const { fd, name, address } = socket;
    this.#idle.splice(this.#idle.indexOf(socket), 1);
    // The number may be wrong, and the descriptor the runtime's own: that one stays as it is.
    if (!address) return `Cannot use the inherited descriptor ${fd} (${name}): no listening stream socket`;
    libc.close(fd);
    return `Cannot use the inherited socket ${name} (${formatTarget(address)}): no listener has this name`;
  }
}

function serves({ name, address }: InheritedSocket, place: Place): boolean {
  return name === place.listener && address !== undefined &&
    address.host === place.address.host && address.port === place.address.port;
}

function mismatch({ name, address }: InheritedSocket, own: readonly Place[]): GateError {
  const bound = address ? `is bound to ${formatTarget(address)}` : "is no listening stream socket";
  const wanted = own.map(({ address }) => formatTarget(address)).join(", ");
  return new GateError(
    "refused",
    "gate",
    `Cannot serve listener ${name}: the inherited socket ${bound}, the configuration says ${wanted}`,
  );
}

/** Its address; undefined: it does not listen for streams. */
function prepare(fd: number): Target | undefined {
  libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
  const streams = getOption(fd, SOL_SOCKET, SO_TYPE) === SOCK_STREAM;
  if (!streams || getOption(fd, SOL_SOCKET, SO_ACCEPTCONN) !== 1) return undefined;
  const address = boundAddress(fd);
  if (!address) return undefined;
  libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
  if (!address.host.startsWith("unix:")) tuneTcp(fd); // accepted sockets inherit it
  return address;
}

/** As a configuration names it. undefined: neither TCP nor a unix socket with a name. */
function boundAddress(fd: number): Target | undefined {
  const bytes = new Uint8Array(SOCKADDR_MAX), size = new Uint32Array([SOCKADDR_MAX]);
  if (libc.getsockname(fd, bytes, new Uint8Array(size.buffer)) < 0) return undefined;
  const family = bytes[0];
  if (family === AF_UNIX && bytes[SUN_PATH] !== 0) {
    const end = bytes.indexOf(0, SUN_PATH);
    const path = bytes.subarray(SUN_PATH, end < 0 ? Math.min(size[0], SOCKADDR_MAX) : end);
    return { host: `unix:${new TextDecoder().decode(path)}`, port: 0 };
  }
  if (family !== AF_INET && family !== AF_INET6 && family !== AF_UNIX) return undefined;
  const address = readSocketAddress(bytes, Math.min(size[0], SOCKADDR_MAX));
  if (address.host === "unix") return undefined;
  const dualStack = address.host === "::" && getOption(fd, IPPROTO_IPV6, IPV6_V6ONLY) === 0;
  return dualStack ? { host: "", port: address.port } : address;
}
