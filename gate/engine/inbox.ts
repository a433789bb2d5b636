/**
 * What a layer hands over for one of its streams: kept until it is read by the promise forms, or passed on to the
 * taker of a joint. What is kept is bounded by the stream's window, for only what was used is told as delivered.
 */
import type { Taker } from "../streams.ts";
import { asGateError, type GateError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import { again, promiseResolved } from "./loop.ts";

export class Inbox implements Taker {
  readonly queue = new ByteQueue();
  /** The peer's FIN came. */
  ended = false;
  /** The peer's reset came, or our own. */
  reason: GateError | undefined;
  /** Called once when the peer resets while nobody reads or writes. */
  onGone: ((reason: GateError) => void) | undefined;
  #target: Taker | undefined;
  #left = Infinity;
  /** The target was told the end: of the stream, or of the bytes that were joined. */
  #told = false;
  #toldBroke = false;
  #reader: (() => void) | undefined;
  #poller: (() => void) | undefined;
  #writer: (() => void) | undefined;
  /** Who polls looks at what came. */
  #polling = false;

  /** `abort` resets the layer's stream: when a target cannot read what it was passed. */
  constructor(readonly abort: (reason: GateError) => void) {}

  take(bytes: Uint8Array, at: number, size: number): void {
    const now = this.#target && this.queue.size === 0 ? Math.min(size, this.#left) : 0;
    if (now > 0) {
      this.#left -= now;
      this.#target!.take(bytes, at, now);
    }
    if (this.#poller && this.queue.size === 0) this.queue.lend(bytes, at + now, size - now);
    else this.queue.push(bytes, at + now, size - now);
  }

  /** Who polls may use what came where it lies, and who joins then: nothing is copied of what can go on at once. */
  flush(): void {
    const poller = this.#poller;
    if (poller) {
      this.#poller = undefined;
      this.#polling = true;
      try {
        poller();
        if (this.#target) this.#passKept(this.#target);
      } finally {
        this.#polling = false;
        this.queue.own();
      }
      return;
    }
    if (!this.#target) return this.wakeReader();
    this.#target.flush();
    this.#endWhenFull();
  }

  room(): void {
    this.#target?.room();
    this.wakeWriter(); // a target may be there for what comes alone
  }

  end(): void {
    this.ended = true;
    if (!this.#target) this.wakeReader();
    else if (this.queue.size === 0) this.#tellEnd(this.#target);
  }

  broke(reason: GateError): void {
    this.reason ??= reason;
    this.queue.own();
    if (this.#target) {
      this.wakeWriter();
      return this.#tellBroke(this.#target, reason);
    }
    const told = this.#reader || this.#poller || this.#writer ? undefined : this.onGone;
    this.wakeReader();
    this.wakeWriter();
    told?.(reason);
  }

  /** Passes on to `to`, what is kept first, at most `bytes` in all; told from the loop. */
  join(to: Taker, bytes: number): void {
    if (!this.#polling) this.queue.own();
    this.#target = to;
    this.#left = bytes;
    this.#told = this.#toldBroke = false;
    again(() => {
      if (this.#target === to) this.#passKept(to);
    });
  }

  /** Keeps again. */
  leave(): void {
    this.#target = undefined;
  }

  untilReadable(): Promise<void> {
    return new Promise((wake) => this.#reader = wake);
  }

  untilRoom(): Promise<void> {
    return new Promise((wake) => this.#writer = wake);
  }

  /** Calls `wake` once then: as bytes come, when all of them are handed over, else from the loop. */
  whenReadable(wake: () => void): void {
    this.#poller = wake;
  }

  wakeReader(): void {
    const wake = this.#reader, poller = this.#poller;
    this.#reader = this.#poller = undefined;
    if (poller) again(poller);
    if (!wake) return;
    promiseResolved();
    wake();
  }

  wakeWriter(): void {
    const wake = this.#writer;
    this.#writer = undefined;
    if (!wake) return;
    promiseResolved();
    wake();
  }

  #passKept(to: Taker): void {
    try {
      while (this.#target === to && this.queue.size > 0 && this.#left > 0) {
        const first = this.queue.first(), size = Math.min(first.length, this.#left);
        this.#left -= size;
        this.queue.drop(size);
        to.take(first, 0, size);
      }
      to.flush();
    } catch (thrown) {
      const reason = asGateError(thrown);
      this.abort(reason);
      return this.broke(reason);
    }
    this.#endWhenFull();
    if (this.#target !== to) return;
    if (this.reason) this.#tellBroke(to, this.reason);
    else if (this.ended && this.queue.size === 0) this.#tellEnd(to);
  }

  #endWhenFull(): void {
    if (this.#left === 0 && this.#target) this.#tellEnd(this.#target);
  }

  #tellEnd(target: Taker): void {
    if (this.#told) return;
    this.#told = true;
    target.end();
  }

  #tellBroke(target: Taker, reason: GateError): void {
    if (this.#toldBroke) return;
    this.#toldBroke = true;
    target.broke(reason);
  }
}
