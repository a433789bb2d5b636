/**
 * Happy Eyeballs v2 (RFC 8305): addresses of both families take turns, the next one starts when one failed or 250 ms
 * passed, the first that stands wins and the others are closed.
 */
import type { Target } from "../contracts.ts";
import { type Failure, GateError } from "../errors.ts";
import { formatTarget } from "../address.ts";
import { Descriptor, type Mover } from "./descriptor.ts";
import { AF_UNIX, EACCES, EAGAIN, ECONNREFUSED, EINPROGRESS, EMFILE, ENFILE, ENOBUFS, ENOENT } from "./layout.ts";
import { ENOMEM, EPERM, EPOLLERR, EPOLLHUP, EPOLLOUT, errnoName, ETIMEDOUT } from "./layout.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./layout.ts";
import { after, promiseResolved } from "./loop.ts";
import { type SocketAddress, socketAddress } from "./sockaddr.ts";
import { Socket } from "./socket.ts";
import { errno, libc, socketError, tuneTcp } from "./sys.ts";

/** RFC 8305 section 8: Connection Attempt Delay, ms. */
const ATTEMPT_DELAY = 250;

/** Called with a fresh socket before it connects; what it throws fails this address. */
export type BeforeConnect = (fd: number, address: Target, family: number) => void;

/** A dial under way. */
export class Dial implements Mover {
  readonly result: Promise<Socket>;
  /** The address that stands, once the result is there. */
  reached: Target | undefined;
  #resolve!: (socket: Socket) => void;
  #reject!: (reason: GateError) => void;
  readonly #addresses: readonly Target[];
  readonly #before: BeforeConnect | undefined;
  #next = 0;
  #open: { readonly socket: Socket; readonly address: Target }[] = [];
  #failure: GateError | undefined;
  #over = false;
  #stopStagger: (() => void) | undefined;
  #stopDeadline: () => void;

  /** `addresses` are literals or unix sockets; `ms` is the time for all of them. */
  constructor(addresses: readonly Target[], ms: number, before?: BeforeConnect) {
    this.#addresses = addresses.length > 1 ? interleave(addresses) : addresses;
    this.#before = before;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#stopDeadline = after(ms, () => this.cancel(this.#timedOut(ms)));
    this.#start();
  }

  /** Gives up; who waits gets `reason`. */
  cancel(reason: GateError): void {
    this.#finish(undefined, reason);
  }

  moved(socket: Descriptor, events: number): void {
    if (this.#over || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
    const code = events & (EPOLLERR | EPOLLHUP) ? socketError(socket.fd) : 0;
    if (code === 0) return this.#finish(socket as Socket, undefined);
    this.#failed(socket, code);
  }

  gone(): void {}

  #start(): void {
    this.#stopStagger?.();
    this.#stopStagger = undefined;
    while (!this.#over && this.#next < this.#addresses.length) {
      if (this.#attempt(this.#addresses[this.#next++])) {
        const more = !this.#over && this.#next < this.#addresses.length;
        if (more) this.#stopStagger = after(ATTEMPT_DELAY, () => this.#start());
        return;
      }
    }
    if (!this.#over && this.#open.length === 0) this.#finish(undefined, this.#failure ?? nothingToDial());
  }

  /** Whether it is under way. */
  #attempt(address: Target): boolean {
    let to: SocketAddress;
    try {
      to = socketAddress(address);
    } catch (thrown) {
      this.#failure = thrown as GateError;
      return false;
    }
    const fd = libc.socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return this.#note(address, errno());
    try {
      if (to.family !== AF_UNIX) tuneTcp(fd);
      this.#before?.(fd, address, to.family);
    } catch (thrown) {
      libc.close(fd);
      this.#failure = thrown as GateError;
      return false;
    }
    const connected = libc.connect(fd, to.bytes, to.bytes.length);
    const code = connected < 0 ? errno() : 0;
    if (code !== 0 && code !== EINPROGRESS) {
      libc.close(fd);
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
      libc.close(fd);
      return this.#finish(undefined, thrown as GateError);
    }
    this.#open.push({ socket, address });
    socket.mover = this;
    if (connected) this.#finish(socket, undefined);
  }

  #failed(socket: Descriptor, code: number): void {
    const [{ address }] = this.#open.splice(this.#open.findIndex((open) => open.socket === socket), 1);
    socket.mover = undefined;
    socket.close();
    this.#note(address, code);
    this.#start();
  }

  #note(address: Target, code: number): false {
    this.#failure = new GateError(failureOf(code), sideOf(code), `Cannot connect to ${formatTarget(address)}: ${errnoName(code)}`);
    return false;
  }

  #timedOut(ms: number): GateError {
    const where = this.#addresses.slice(0, 3).map(formatTarget).join(", ");
    return new GateError("timeout", "upstream", `Cannot connect to ${where}: no answer within ${ms} ms`);
  }

  #finish(winner: Socket | undefined, failure: GateError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopStagger?.();
    this.#stopDeadline();
    for (const { socket, address } of this.#open) {
      socket.mover = undefined;
      if (socket === winner) this.reached = address;
      else socket.close();
    }
    this.#open = [];
    promiseResolved();
    if (winner) this.#resolve(winner);
    else this.#reject(failure!);
  }
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
