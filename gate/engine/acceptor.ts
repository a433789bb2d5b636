/**
 * Accepts on one listening socket, which other engines may watch too. When descriptors run out it takes one connection
 * with a spare descriptor only to close it, so that the peer learns at once, and pauses: nothing spins.
 */
import type { Target } from "../address.ts";
import { AF_UNIX, ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM } from "./layout.ts";
import { EPOLLEXCLUSIVE, EPOLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./layout.ts";
import { after, again, unwatch, watch, type Watcher } from "./loop.ts";
import { closeOwned, owned } from "./owned.ts";
import { isReserved } from "./reserve.ts";
import { readSocketAddress, SOCKADDR_MAX } from "./sockaddr.ts";
import { errno, libc } from "./sys.ts";

/** Connections of one listener in one turn, before others get theirs. */
const TURN = 64;
/** Turns that a closing one spends on those who were in its queue: a flood must not keep it open. */
const LAST_TURNS = 256;
/** How long accepting rests when descriptors or memory ran out, ms. */
const PAUSE = 50;

const address = new Uint8Array(SOCKADDR_MAX);
const addressSize = new Uint32Array(1), addressSizeBytes = new Uint8Array(addressSize.buffer);
let spare = owned(libc.eventfd(0, SOCK_CLOEXEC));

export interface Accepting {
  /** A new connection; its descriptor belongs to who is called. */
  accepted(fd: number, from: Target, family: number): void;
  /** Descriptors or memory ran out: accepting rests for a moment. */
  paused(): void;
}

export class Acceptor implements Watcher {
  #paused = false;
  #closed = false;

  constructor(readonly fd: number, readonly owner: Accepting) {
    this.#watch();
  }

  onEvent(): void {
    this.#accept();
  }

  /** Whether there may be more in the queue. */
  #accept(): boolean {
    for (let i = 0; i < TURN && !this.#closed; i++) {
      addressSize[0] = SOCKADDR_MAX;
      const fd = owned(libc.accept4(this.fd, address, addressSizeBytes, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (isReserved(fd)) {
        closeOwned(fd);
        this.#rest();
        return false;
      }
      if (fd >= 0) {
        const family = addressSize[0] >= 2 ? address[0] : AF_UNIX;
        this.owner.accepted(fd, readSocketAddress(address, addressSize[0]), family);
        continue;
      }
      const code = errno();
      if (code === EINTR || code === ECONNABORTED) continue;
      if (code === EMFILE || code === ENFILE || code === ENOBUFS || code === ENOMEM) this.#rest();
      return false;
    }
    return !this.#closed;
  }

  /** Takes who is in the queue, for closing the socket would reset them; then closes and tells. */
  finish(closed: () => void, turns = LAST_TURNS): void {
    let more = false;
    try {
      more = turns > 0 && !this.#paused && this.#accept();
    } finally { // also where the kernel cannot watch one of them: it is closed, and so is this
      if (more) again(() => this.finish(closed, turns - 1));
      else {
        this.close();
        closed();
      }
    }
  }

  /** The listening socket stays open: it is main's. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#paused) unwatch(this.fd, false);
  }

  #watch(): void {
    watch(this.fd, this, EPOLLIN | EPOLLEXCLUSIVE);
  }

  #goOn(): void {
    if (this.#closed) return;
    try {
      this.#watch();
      this.#paused = false;
    } catch {
      after(PAUSE, () => this.#goOn()); // the kernel has no memory for it yet
    }
  }

  #rest(): void {
    if (spare >= 0) closeOwned(spare);
    const fd = libc.accept4(this.fd, null, null, SOCK_CLOEXEC);
    if (fd >= 0) libc.close(fd);
    spare = owned(libc.eventfd(0, SOCK_CLOEXEC));
    this.#paused = true;
    unwatch(this.fd, false);
    this.owner.paused();
    after(PAUSE, () => this.#goOn());
  }
}
