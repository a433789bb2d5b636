/**
 * Happy Eyeballs v2 (RFC 8305): addresses of both families take turns, the next one starts when one failed or 250 ms
 * passed, the first that stands wins and the others are closed.
 */
import { formatTarget, type Target } from "../address.ts";
import { asGateError, atLimit, type Failure, GateError } from "../errors.ts";
import type { Expiring } from "./deadlines.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import {
  AF_UNIX,
  EACCES,
  EAGAIN,
  ECONNREFUSED,
  EINPROGRESS,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOENT,
} from "./layout.ts";
import { ENOMEM, EPERM, EPOLLERR, EPOLLHUP, EPOLLOUT, errnoName, ETIMEDOUT } from "./layout.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./layout.ts";
import { after, deadlines, now, promiseResolved } from "./loop.ts";
import { closeOwned, owned } from "./owned.ts";
import { isReserved } from "./reserve.ts";
import { type SocketAddress, socketAddress } from "./sockaddr.ts";
import { Socket } from "./socket.ts";
import { errno, libc, socketError, tuneTcp } from "./sys.ts";

/** RFC 8305 section 8: Connection Attempt Delay, ms. */
const ATTEMPT_DELAY = 250;
/** Attempts of one dial at a time. */
const MOST_AT_ONCE = 6;

/** Who dials. */
export interface DialOwner {
  /** Called with a fresh socket before it connects; what it throws fails this address. */
  beforeConnect?(fd: number, address: Target, family: number): void;
  /** The socket is the owner's. */
  stood(socket: Socket, address: Target): void;
  failed(reason: GateError): void;
}

/** A dial under way. */
export class Dial implements Mover, Expiring {
  readonly #addresses: readonly Target[];
  readonly #owner: DialOwner;
  readonly #slot = deadlines.claim(this);
  #next = 0;
  #open: { readonly socket: Socket; readonly address: Target }[] = [];
  #failure: GateError | undefined;
  over = false;
  #stopStagger: (() => void) | undefined;

  /** `addresses` are literals or unix sockets; `ms` is the time for all of them. The owner may hear at once. */
  constructor(addresses: readonly Target[], ms: number, owner: DialOwner) {
    this.#addresses = addresses.length > 1 ? interleave(addresses) : addresses;
    this.#owner = owner;
    deadlines.set(this.#slot, now + ms);
    this.#start();
  }

  /** Gives up; the owner hears `reason`. */
  cancel(reason: GateError): void {
    this.#finish(undefined, reason);
  }

  expired(): void {
    const where = this.#addresses.slice(0, 3).map(formatTarget).join(", ");
    const reason = new GateError("timeout", "upstream", `Cannot connect to ${where}: no answer in time`);
    this.cancel(atLimit("dialTimeout", reason));
  }

  moved(socket: Descriptor, events: number): void {
    if (this.over || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
    const code = events & (EPOLLERR | EPOLLHUP) ? socketError(socket.fd) : 0;
    if (code !== 0) return this.#failed(socket, code);
    this.#finish(this.#open.find((open) => open.socket === socket), undefined);
  }

  gone(): void {}

  #start(): void {
    this.#stopStagger?.();
    this.#stopStagger = undefined;
    while (!this.over && this.#next < this.#addresses.length) {
      if (this.#attempt(this.#addresses[this.#next++])) {
        const more = !this.over && this.#next < this.#addresses.length;
        if (more) this.#stopStagger = after(ATTEMPT_DELAY, () => this.#giveWay());
        return;
      }
    }
    if (!this.over && this.#open.length === 0) this.#finish(undefined, this.#failure ?? nothingToDial());
  }

  /** A name with many dead addresses must not hold a descriptor for each: the oldest attempt ends. */
  #giveWay(): void {
    if (this.#open.length >= MOST_AT_ONCE) {
      const [{ socket, address }] = this.#open.splice(0, 1);
      socket.mover = undefined;
      socket.close();
      this.#note(address, ETIMEDOUT);
    }
    this.#start();
  }

  /** Whether it is under way. */
  #attempt(address: Target): boolean {
    let to: SocketAddress;
    try {
      to = socketAddress(address);
    } catch (thrown) {
      this.#failure = asGateError(thrown);
      return false;
    }
    const fd = owned(libc.socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0) return this.#note(address, errno());
    if (isReserved(fd)) {
      closeOwned(fd);
      return this.#note(address, EMFILE);
    }
    try {
      if (to.family !== AF_UNIX) tuneTcp(fd);
      this.#owner.beforeConnect?.(fd, address, to.family);
    } catch (thrown) {
      closeOwned(fd);
      this.#failure = asGateError(thrown);
      return false;
    }
    const connected = libc.connect(fd, to.bytes, to.size);
    const code = connected < 0 ? errno() : 0;
    if (code !== 0 && code !== EINPROGRESS) {
      closeOwned(fd);
      return this.#note(address, code);
    }
    this.#watch(fd, to.family, address, code === 0);
    return true;
  }

  #watch(fd: number, family: number, address: Target, connected: boolean): void {
    let socket: Socket;
    try {
      socket = new Socket(fd, "upstream", family);
    } catch (thrown) {
      closeOwned(fd);
      return this.#finish(undefined, asGateError(thrown));
    }
    const open = { socket, address };
    this.#open.push(open);
    socket.mover = this;
    if (connected) this.#finish(open, undefined);
  }

  #failed(socket: Descriptor, code: number): void {
    const [{ address }] = this.#open.splice(this.#open.findIndex((open) => open.socket === socket), 1);
    socket.mover = undefined;
    socket.close();
    this.#note(address, code);
    this.#start();
  }

  #note(address: Target, code: number): false {
    this.#failure = new GateError(
      failureOf(code),
      sideOf(code),
      `Cannot connect to ${formatTarget(address)}: ${errnoName(code)}`,
    );
    return false;
  }

  #finish(winner: { socket: Socket; address: Target } | undefined, failure: GateError | undefined): void {
    if (this.over) return;
    this.over = true;
    this.#stopStagger?.();
    deadlines.release(this.#slot);
    for (const { socket } of this.#open) {
      socket.mover = undefined;
      if (socket !== winner?.socket) socket.close();
    }
    if (winner) this.#owner.stood(winner.socket, winner.address);
    else this.#owner.failed(failure!);
  }
}

/** Dials for who has nothing to cancel: a connected socket. */
export function dial(addresses: readonly Target[], ms: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    new Dial(addresses, ms, {
      stood: (socket) => {
        promiseResolved();
        resolve(socket);
      },
      failed: (reason) => {
        promiseResolved();
        reject(reason);
      },
    });
  });
}

const nothingToDial = () => new GateError("no-route", "gate", "Cannot connect: no address to dial");

const LOCAL_LIMITS: readonly number[] = [EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN];

/** RFC 1928's distinctions; a unix socket that nobody serves (ENOENT) is refused like a closed port. */
function failureOf(code: number): Failure {
  if (code === ECONNREFUSED || code === ENOENT) return "refused";
  if (code === ETIMEDOUT) return "timeout";
  if (code === EACCES || code === EPERM) return "denied";
  return LOCAL_LIMITS.includes(code) ? "exhausted" : "unreachable";
}

const sideOf = (code: number) => LOCAL_LIMITS.includes(code) ? "gate" as const : "upstream" as const;

/** Families take turns, each in its order; the first address decides which begins. */
function interleave(addresses: readonly Target[]): readonly Target[] {
  const isV6 = (address: Target) => address.host.includes(":");
  const first = isV6(addresses[0]);
  const one = addresses.filter((address) => isV6(address) === first);
  const other = addresses.filter((address) => isV6(address) !== first);
  const mixed: Target[] = [];
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    if (i < one.length) mixed.push(one[i]);
    if (i < other.length) mixed.push(other[i]);
  }
  return mixed;
}
