/**
 * Exactly so many bytes of a layer into a socket, from where they were opened. The other direction of both stays with the
 * promise forms: an early answer is read, and written, while the request goes out.
 */
import type { Joint, Taker } from "../streams.ts";
import { asGateError, type GateError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { Pacing } from "./copy_clock.ts";
import type { Mover } from "./descriptor.ts";
import { EPOLLERR } from "./layout.ts";
import type { Socket } from "./socket.ts";

export class Pour implements Taker, Pacing {
  moved = 0;
  readonly #from: Joint;
  readonly #to: Socket;
  readonly #done: (reason: GateError | undefined) => void;
  /** What the kernel refused; the layer's window bounds it. */
  readonly #unsent = new ByteQueue();
  #left: number;
  #over = false;

  /**
   * `bytes` Infinity: up to the end. `done` is told once, both are the caller's again then: "closed" where the end comes
   * too early is the caller's to tell, by what has moved.
   */
  constructor(from: Joint, to: Socket, bytes: number, done: (reason: GateError | undefined) => void) {
    this.#from = from;
    this.#to = to;
    this.#left = bytes;
    this.#done = done;
    to.mover = this.#mover;
    from.join(this, bytes);
  }

  /** Bytes wait for room. */
  get stuck(): boolean {
    return this.#unsent.size > 0;
  }

  take(bytes: Uint8Array, at: number, size: number): void {
    if (this.#over) return;
    try {
      const sent = this.stuck ? 0 : this.#send(at === 0 ? bytes : bytes.subarray(at), size);
      this.#unsent.push(bytes, at + sent, size - sent);
    } catch (thrown) {
      this.broke(asGateError(thrown));
    }
  }

  flush(): void {
    if (this.#left === 0) this.#finish(undefined);
  }

  room(): void {}

  end(): void {
    // What waits still goes out: the end is behind it.
    if (this.stuck) this.#left = this.#unsent.size;
    else this.#finish(undefined);
  }

  broke(reason: GateError): void {
    this.#finish(reason);
  }

  readonly #mover: Mover = {
    moved: (_socket, events) => {
      try {
        const failure = events & EPOLLERR ? this.#to.pendingFailure() : undefined;
        if (failure) return this.broke(failure);
        if (this.#to.writable && this.stuck) this.#drain();
        if (!this.#over && this.#to.readable) this.#to.wakeReader();
      } catch (thrown) {
        this.broke(asGateError(thrown));
      }
    },
    gone: (_socket, reason) => this.broke(reason),
  };

  #drain(): void {
    while (this.stuck) {
      const first = this.#unsent.first(), sent = this.#send(first, first.length);
      if (sent === 0) return;
      this.#unsent.drop(sent);
    }
    this.flush();
  }

  #send(bytes: Uint8Array, size: number): number {
    const sent = Math.max(0, this.#to.send(bytes, size));
    this.#left -= sent;
    this.moved += sent;
    if (sent > 0) this.#from.delivered(sent);
    return sent;
  }

  #finish(reason: GateError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#to.mover = undefined;
    this.#from.leave();
    this.#to.wakeReader(); // what changed while they were moved finds who waits
    this.#done(reason);
  }
}
