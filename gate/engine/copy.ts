/**
 * Exactly so many bytes from one stream to the other; both stay with their owner. Between raw sockets they are spliced,
 * from a layer they are poured into one, elsewhere they go through the joints.
 */
import type { Joint, Pace, Progress, Stream, Taker } from "../streams.ts";
import { asGateError, GateError, type Side } from "../errors.ts";
import { CopyClock, tooSlow } from "./copy_clock.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import { Flow } from "./flow.ts";
import { behind, NOTHING } from "./held.ts";
import { EPOLLERR } from "./layout.ts";
import { after, again, promiseResolved } from "./loop.ts";
import { Outlet } from "./outlet.ts";
import { Pour } from "./pour.ts";
import { Socket } from "./socket.ts";

/**
 * Answers how many bytes that were. Rejects with "closed" where `from` ends first, with "timeout" where the pace is not kept, and with the reset of either.
 * `bytes` Infinity: up to the end. `watch` gets what tells how far it is, before anything moves. Where `to` is a socket
 * the other direction stays with the promise forms of both.
 */
export async function copyBytes(
  from: Stream,
  to: Stream,
  bytes: number,
  pace?: Pace,
  watch?: (progress: Progress) => void,
): Promise<number> {
  if (bytes <= 0) return 0;
  if (from instanceof Socket && to instanceof Socket) {
    return await spliceBytes(from, to, bytes, pace, watch);
  }
  if (from.joint && to instanceof Socket) {
    return await pourBytes(from.joint(), to, bytes, sideOf(from), pace, watch);
  }
  if (!from.joint || !to.joint) {
    throw new GateError("internal", "gate", "Cannot copy: a stream has neither a socket nor a joint");
  }
  const source = from.joint();
  let sink: Joint;
  try {
    sink = to.joint();
  } catch (thrown) {
    source.leave();
    throw thrown;
  }
  const moved = await jointBytes(source, sink, bytes, sideOf(from), sideOf(to), pace, watch);
  await refusedGone(to, pace);
  return moved;
}

/** What the kernel refused of the last bytes has left: the stream may be moved after this. */
async function refusedGone(to: Stream, pace: Pace | undefined): Promise<void> {
  const left = to.write(NOTHING);
  if (!left) return;
  const stop = pace && after(pace.sink, () => to.abort(tooSlow(sideOf(to), "takes nothing")));
  try {
    await left;
  } finally {
    stop?.();
  }
}

const tooShort = (from: Socket | undefined, bytes: number): GateError =>
  new GateError("closed", from?.side ?? "gate", `Cannot copy ${bytes} more bytes: the end came first`);

const sideOf = (stream: Stream): Side => "side" in stream ? stream.side as Side : "gate";

function spliceBytes(
  from: Socket,
  to: Socket,
  bytes: number,
  pace: Pace | undefined,
  watch: ((progress: Progress) => void) | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    new SpliceCopy(from, to, bytes, pace, watch, (moved, reason) => {
      if (reason) reject(reason);
      else resolve(moved);
    });
  });
}

class SpliceCopy implements Mover {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #bytes: number;
  readonly #flow: Flow;
  readonly #done: (moved: number, reason?: GateError) => void;
  readonly #clock: CopyClock | undefined;
  #over = false;

  constructor(
    from: Socket,
    to: Socket,
    bytes: number,
    pace: Pace | undefined,
    watch: ((progress: Progress) => void) | undefined,
    done: (moved: number, reason?: GateError) => void,
  ) {
    const held = from.unread(), first = held.subarray(0, Math.min(held.length, bytes));
    from.held = behind(held, first.length);
    this.#from = from;
    this.#to = to;
    this.#bytes = bytes;
    this.#done = done;
    // Up to the end, which is not passed on: more than any stream has.
    this.#flow = new Flow(from, to, first, Math.min(bytes, Number.MAX_SAFE_INTEGER) - first.length);
    if (pace) {
      this.#clock = new CopyClock(
        pace,
        from.side,
        to.side,
        () => this.#flow,
        (reason) => this.#finish(reason),
      );
    }
    watch?.(this.#flow);
    from.mover = to.mover = this;
    this.#pump();
  }

  moved(socket: Descriptor, events: number): void {
    const failure = events & EPOLLERR ? socket.pendingFailure() : undefined;
    if (failure) return this.#finish(failure);
    this.#pump();
    if (this.#over) return;
    // The other direction stays with the promise forms: an early answer is read while the request goes out.
    if (this.#to.readable) this.#to.wakeReader();
    if (this.#from.writable) this.#from.wakeWriter();
  }

  gone(_socket: Descriptor, reason: GateError): void {
    this.#finish(reason);
  }

  #pump = (): void => {
    if (this.#over) return;
    try {
      if (this.#flow.pump()) again(this.#pump);
      else if (this.#flow.moved === this.#bytes) this.#finish();
      else if (this.#flow.short) {
        this.#finish(
          this.#bytes === Infinity ? undefined : tooShort(this.#from, this.#bytes - this.#flow.moved),
        );
      }
    } catch (thrown) {
      this.#finish(asGateError(thrown));
    }
  };

  #finish(reason?: GateError): void {
    if (this.#over) return;
    this.#over = true;
    this.#clock?.stop();
    this.#from.mover = this.#to.mover = undefined;
    this.#flow.close();
    promiseResolved();
    this.#from.wakeWriter(); // what changed while they were moved finds who waits
    this.#to.wakeReader();
    this.#done(this.#flow.moved, reason);
  }
}

function pourBytes(
  from: Joint,
  to: Socket,
  bytes: number,
  source: Side,
  pace: Pace | undefined,
  watch: ((progress: Progress) => void) | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const pour = new Pour(from, to, bytes, (reason) => {
      clock?.stop();
      promiseResolved();
      if (reason) reject(reason);
      else if (bytes < Infinity && pour.moved < bytes) reject(tooShort(undefined, bytes - pour.moved));
      else resolve(pour.moved);
    });
    watch?.(pour);
    const clock = pace && new CopyClock(pace, source, to.side, () => pour, (reason) => pour.broke(reason));
  });
}

function jointBytes(
  from: Joint,
  to: Joint,
  bytes: number,
  source: Side,
  sink: Side,
  pace: Pace | undefined,
  watch: ((progress: Progress) => void) | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const copy = new JointCopy(from, to, bytes, (reason) => {
      clock?.stop();
      from.leave();
      to.leave();
      promiseResolved();
      if (reason) reject(reason);
      else resolve(copy.moved);
    });
    watch?.(copy);
    const clock = pace && new CopyClock(pace, source, sink, () => copy, (reason) => copy.broke(reason));
    from.join(copy, bytes);
    to.join(copy.sink, 0);
  });
}

class JointCopy implements Taker {
  readonly #from: Joint;
  readonly #outlet: Outlet;
  readonly #done: (reason?: GateError) => void;
  readonly #bytes: number;
  #left: number;
  #over = false;
  moved = 0;
  /** The taker of the other joint: nothing is taken there, but its room and its resets matter. */
  readonly sink: Taker = {
    take: () => {},
    flush: () => {},
    room: () => {
      this.#outlet.drain();
      this.flush();
    },
    end: () => {},
    broke: (reason) => this.broke(reason),
  };

  constructor(from: Joint, to: Joint, bytes: number, done: (reason?: GateError) => void) {
    this.#from = from;
    this.#left = this.#bytes = bytes;
    this.#done = done;
    this.#outlet = new Outlet(to, (placed) => {
      this.#left -= placed;
      this.moved += placed;
      this.#from.delivered(placed);
    });
  }

  take(bytes: Uint8Array, at: number, size: number): void {
    this.#outlet.put(bytes, at, size);
  }

  flush(): void {
    if (this.#left === 0) this.#finish(undefined);
  }

  room(): void {}

  /** Bytes wait for room. */
  get stuck(): boolean {
    return this.#outlet.kept > 0;
  }

  end(): void {
    if (this.#bytes === Infinity) this.#left = this.#outlet.kept;
    if (this.#left === 0) this.#finish(undefined);
    else if (this.#left > this.#outlet.kept) this.broke(tooShort(undefined, this.#left));
  }

  broke(reason: GateError): void {
    this.#finish(reason);
  }

  #finish(reason: GateError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(reason);
  }
}
