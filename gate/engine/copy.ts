/**
 * Exactly so many bytes from one stream to the other; both stay with their owner. Between raw sockets they are spliced,
 * elsewhere they go through the joints.
 */
import type { Joint, Stream, Taker } from "../contracts.ts";
import { asGateError, GateError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import { Flow } from "./flow.ts";
import { fill } from "./layered.ts";
import { again, promiseResolved } from "./loop.ts";
import { Socket } from "./socket.ts";

export function copyBytes(from: Stream, to: Stream, bytes: number): Promise<void> {
  if (bytes <= 0) return Promise.resolve();
  if (from instanceof Socket && to instanceof Socket) return spliceBytes(from, to, bytes);
  if (from.joint && to.joint) return jointBytes(from.joint(), to.joint(), bytes);
  return Promise.reject(new GateError("internal", "gate", "Cannot copy a stream that has no joint"));
}

function spliceBytes(from: Socket, to: Socket, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const held = from.unread(), first = held.subarray(0, Math.min(held.length, bytes));
    from.held = held.subarray(first.length);
    const flow = new Flow(from, to, first, bytes - first.length);
    const finish = (reason?: GateError) => {
      from.mover = to.mover = undefined;
      flow.close();
      promiseResolved();
      if (reason) reject(reason);
      else resolve();
    };
    const pump = () => {
      if (from.mover !== mover) return;
      try {
        if (flow.pump()) again(pump);
        else if (flow.moved === bytes) finish();
        else if (flow.short) finish(new GateError("closed", from.side, `Cannot copy ${bytes} bytes: the end came first`));
      } catch (thrown) {
        finish(asGateError(thrown));
      }
    };
    const mover = { moved: pump, gone: (_: unknown, reason: GateError) => finish(reason) };
    from.mover = to.mover = mover;
    pump();
  });
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
  #from: Joint;
  #to: Joint;
  #left: number;
  #done: (reason?: GateError) => void;
  #unsent = new ByteQueue();
  #over = false;
  /** The taker of the other joint: nothing is taken there, but its room and its resets matter. */
  readonly sink: Taker = {
    take: () => {},
    flush: () => {},
    room: () => this.#drain(),
    end: () => {},
    broke: (reason) => this.broke(reason),
  };

  constructor(from: Joint, to: Joint, bytes: number, done: (reason?: GateError) => void) {
    this.#from = from;
    this.#to = to;
    this.#left = bytes;
    this.#done = done;
  }

  take(bytes: Uint8Array, at: number, size: number): void {
    this.#unsent.push(bytes, at, size);
  }

  flush(): void {
    this.#drain();
  }

  room(): void {}

  end(): void {
    if (this.#left > this.#unsent.size) {
      this.broke(new GateError("closed", "gate", `Cannot copy ${this.#left} more bytes: the end came first`));
    }
  }

  broke(reason: GateError): void {
    this.#finish(reason);
  }

  #drain(): void {
    while (this.#unsent.size > 0) {
      const room = this.#to.reserve(this.#unsent.size);
      if (!room) return;
      const first = this.#unsent.first(), size = fill(room, first, 0, first.length);
      this.#to.commit(size);
      this.#unsent.drop(size);
      this.#from.delivered(size);
      this.#left -= size;
    }
    if (this.#left === 0) this.#finish(undefined);
  }

  #finish(reason: GateError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(reason);
  }
}
