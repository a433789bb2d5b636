/**
 * A kernel socket on this thread's loop: its readiness, its ends, and the calls that move bytes. It is registered once,
 * edge-triggered: readiness is remembered here until the kernel says EAGAIN.
 */
import { GateError, type Side } from "../errors.ts";
import {
  EAGAIN,
  EINTR,
  EPIPE,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  MSG_PEEK,
} from "./layout.ts";
import { errnoName, ETIMEDOUT, MSG_NOSIGNAL, SHUT_WR } from "./layout.ts";
import { again, promiseResolved, unwatch, watch, type Watcher } from "./loop.ts";
import { closeOwned, disown } from "./owned.ts";
import { errno, libc, probeEnded, resetAndClose, socketError } from "./sys.ts";

/** What drives a socket whose bytes flow without promises (a relay, a joint, a dial). */
export interface Mover {
  /** Something of `readable`, `writable`, `hungUp` changed. */
  moved(socket: Descriptor, events: number): void;
  /** The socket was aborted from outside. */
  gone(socket: Descriptor, reason: GateError): void;
}

const glance = new Uint8Array(1);

export class Descriptor implements Watcher {
  /** -1 once closed or given away. */
  fd: number;
  readable = false;
  writable = false;
  /** The peer sent FIN or reset: bytes may still be there to read, but no more come. */
  hungUp = false;
  /** All of what it sent was read, the FIN too. */
  ended = false;
  /** TCP urgent data came: reads stop at its mark, so a short one no longer means that the queue is drained. */
  urgent = false;
  mover: Mover | undefined;
  /** Called once when the peer is gone in both directions while nobody moves or reads. */
  onGone: ((reason: GateError) => void) | undefined;
  /** Called when the descriptor is given back. */
  onClosed: (() => void) | undefined;
  /** Why it was aborted. */
  reason: GateError | undefined;
  #reader: (() => void) | undefined;
  #writer: (() => void) | undefined;
  /** Called at the event itself; the others only resolve promises. */
  #poller: (() => void) | undefined;

  constructor(fd: number, readonly side: Side, public family: number) {
    this.fd = fd;
    watch(fd, this);
  }

  onEvent(events: number): void {
    if (events & EPOLLPRI) this.urgent = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) this.hungUp = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) this.readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) this.writable = true;
    if (this.mover) return this.mover.moved(this, events);
    const poller = this.readable ? this.#poller : undefined;
    const waited = this.#isAwaited;
    if (poller) this.#poller = undefined;
    if (this.readable) this.wakeReader();
    if (this.writable) this.wakeWriter();
    if (poller) poller();
    if (events & EPOLLRDHUP && this.onGone && !this.mover && !this.#isAwaited) this.probe();
    if (!waited && events & (EPOLLHUP | EPOLLERR) && this.onGone) {
      const told = this.onGone;
      this.onGone = undefined;
      told(this.failure(socketError(this.fd), "go on"));
    }
  }

  get #isAwaited(): boolean {
    return this.#poller !== undefined || this.#reader !== undefined || this.#writer !== undefined;
  }

  /** The peer sent FIN, and may have closed: while nothing is sent to it, only probes tell. */
  probe(): void {
    if (this.fd >= 0) probeEnded(this.fd, this.family);
  }

  /** Resolves when there is something to read, or an end, or an error: recv tells. */
  untilReadable(): Promise<void> {
    return new Promise((wake) => this.#reader = wake);
  }

  /** Calls `wake` once then, from the loop. */
  whenReadable(wake: () => void): void {
    this.#poller = wake;
  }

  untilWritable(): Promise<void> {
    return new Promise((wake) => this.#writer = wake);
  }

  wakeReader(): void {
    const wake = this.#reader, poller = this.#poller;
    this.#poller = undefined;
    if (poller) again(poller); // whoever is at work here is not interrupted
    if (!wake) return;
    this.#reader = undefined;
    promiseResolved();
    wake();
  }

  wakeWriter(): void {
    const wake = this.#writer;
    if (!wake) return;
    this.#writer = undefined;
    promiseResolved();
    wake();
  }

  /** Bytes read into `into`; 0: FIN; -1: nothing now. `flags` as in recv(2). Throws "reset". */
  recv(into: Uint8Array, flags = 0): number {
    for (;;) {
      const n = libc.recv(this.open(), into, into.length, flags);
      if (n >= 0) {
        if (n === 0 && into.length > 0) this.ended = true;
        // A short read drained the queue: the next bytes bring an edge, unless the last edge was already here.
        if (n < into.length && flags === 0 && !this.hungUp && !this.urgent) this.readable = false;
        return n;
      }
      const code = errno();
      if (code === EINTR) continue;
      if (code !== EAGAIN) throw this.failure(code, "read");
      this.readable = false;
      return -1;
    }
  }

  /** Asks the kernel, whatever events told: there are bytes, an end or an error. */
  get hasSpoken(): boolean {
    try {
      return this.hungUp || this.recv(glance, MSG_PEEK) >= 0;
    } catch {
      return true;
    }
  }

  /** Bytes of `from` that the kernel took; -1: none now. Throws "reset". */
  send(from: Uint8Array, size = from.length): number {
    for (;;) {
      const n = libc.send(this.open(), from, size, MSG_NOSIGNAL);
      if (n >= 0) {
        if (n < size) this.writable = false;
        return n;
      }
      const code = errno();
      if (code === EINTR) continue;
      if (code !== EAGAIN) throw this.failure(code, "write");
      this.writable = false;
      return -1;
    }
  }

  /** FIN to the peer. A peer that is gone already says so when it is read. */
  shutdownWrite(): void {
    libc.shutdown(this.open(), SHUT_WR);
  }

  /** The pending error as "reset" or "timeout", undefined where there is none. */
  pendingFailure(): GateError | undefined {
    const code = this.fd < 0 ? 0 : socketError(this.fd);
    return code === 0 ? undefined : this.failure(code, "go on");
  }

  /** A failed read, write or splice as a GateError: "reset" or "timeout". */
  failure(code: number, act: string): GateError {
    const who = this.side === "upstream" ? "the upstream" : "the client";
    if (code === ETIMEDOUT) {
      return new GateError("timeout", this.side, `Cannot ${act}: ${who} does not answer`);
    }
    const what = code === 0 || code === EPIPE ? "has closed" : `has reset (${errnoName(code)})`;
    return new GateError("reset", this.side, `Cannot ${act}: ${who} ${what}`);
  }

  /** The descriptor; throws why there is none any more. */
  open(): number {
    if (this.fd >= 0) return this.fd;
    throw this.reason ?? new GateError("closed", "gate", "Cannot use a stream: it is closed");
  }

  /** Resets and closes; who waits is woken and finds the reason. */
  reset(reason: GateError): void {
    if (this.fd < 0) return;
    this.reason = reason;
    unwatch(this.fd, true);
    disown(this.fd);
    resetAndClose(this.fd);
    this.#ended();
  }

  close(): void {
    if (this.fd < 0) return;
    unwatch(this.fd, true);
    closeOwned(this.fd);
    this.#ended();
  }

  /** Gives the descriptor away: it leaves this loop. */
  release(): number {
    const fd = this.open();
    unwatch(fd, false);
    disown(fd);
    this.#ended();
    return fd;
  }

  #ended(): void {
    this.fd = -1;
    this.onGone = undefined;
    this.wakeReader();
    this.wakeWriter();
    this.onClosed?.();
  }
}
