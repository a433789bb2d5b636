/**
 * Exactly so many bytes from one stream to the other; both stay with their owner. Between raw sockets they are spliced,
 * elsewhere they go through the joints.
 */
import type { Joint, Stream, Taker } from "../contracts.ts";
import { asGateError, GateError } from "../errors.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import { Flow } from "./flow.ts";
import { EPOLLERR } from "./layout.ts";
import { again, promiseResolved } from "./loop.ts";
import { Outlet } from "./outlet.ts";
import { Socket } from "./socket.ts";

const NOTHING = new Uint8Array(0);

/** Rejects with "closed" where `from` ends first, and with the reset of either. */
export async function copyBytes(from: Stream, to: Stream, bytes: number): Promise<void> {
  if (bytes <= 0) return;
  if (from instanceof Socket && to instanceof Socket) return await spliceBytes(from, to, bytes);
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
  await jointBytes(source, sink, bytes);
  await to.write(NOTHING); // behind what the kernel refused: the stream may be moved after this
}

const tooShort = (from: Socket | undefined, bytes: number): GateError =>
  new GateError("closed", from?.side ?? "gate", `Cannot copy ${bytes} more bytes: the end came first`);

function spliceBytes(from: Socket, to: Socket, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    new SpliceCopy(from, to, bytes, (reason) => reason ? reject(reason) : resolve());
  });
}

class SpliceCopy implements Mover {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #bytes: number;
  readonly #flow: Flow;
  readonly #done: (reason?: GateError) => void;
  #over = false;

  constructor(from: Socket, to: Socket, bytes: number, done: (reason?: GateError) => void) {
    const held = from.unread(), first = held.subarray(0, Math.min(held.length, bytes));
    from.held = held.subarray(first.length);
    this.#from = from;
    this.#to = to;
    this.#bytes = bytes;
    this.#done = done;
    this.#flow = new Flow(from, to, first, bytes - first.length);
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
      else if (this.#flow.short) this.#finish(tooShort(this.#from, this.#bytes - this.#flow.moved));
    } catch (thrown) {
      this.#finish(asGateError(thrown));
    }
  };

  #finish(reason?: GateError): void {
    if (this.#over) return;
    this.#over = true;
    this.#from.mover = this.#to.mover = undefined;
    this.#flow.close();
    promiseResolved();
    this.#from.wakeWriter(); // what changed while they were moved finds who waits
    this.#to.wakeReader();
    this.#done(reason);
  }
}

function jointBytes(from: Joint, to: Joint, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const copy = new JointCopy(from, to, bytes, (reason) => {
      from.leave();
      to.leave();
      promiseResolved();
      if (reason) reject(reason);
      else resolve();
    });
    from.join(copy, bytes);
    to.join(copy.sink, 0);
  });
}

class JointCopy implements Taker {
  readonly #from: Joint;
  readonly #outlet: Outlet;
  readonly #done: (reason?: GateError) => void;
  #left: number;
  #over = false;
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
    this.#left = bytes;
    this.#done = done;
    this.#outlet = new Outlet(to, (placed) => {
      this.#left -= placed;
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

  end(): void {
    if (this.#left > this.#outlet.kept) this.broke(tooShort(undefined, this.#left));
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
