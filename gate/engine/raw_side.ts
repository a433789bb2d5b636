/** The raw end of a joint relay: from the socket straight into the other side's places, and from there to the socket. */
import { asGateError, type GateError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import type { JointRelay, Side } from "./joint_relay.ts";
import { behind } from "./held.ts";
import { fill } from "./layered.ts";
import { EPOLLERR } from "./layout.ts";
import { again } from "./loop.ts";
import type { Inspect } from "./relay.ts";
import type { Socket } from "./socket.ts";

/** Asked of `reserve`: a layer gives what it has, up to this. */
const BATCH = 262144;
/** Batches of one socket before others get their turn. */
const TURNS = 8;

export class RawSide implements Side, Mover {
  received = 0;
  ended = false;
  finished = false;
  readonly joint = undefined;
  readonly #relay: JointRelay;
  readonly #socket: Socket;
  #other: Side | undefined;
  #held: Uint8Array;
  readonly #inspect: Inspect | undefined;
  #unsent = new ByteQueue();
  #finish = false;
  #scheduled = false;

  constructor(relay: JointRelay, socket: Socket, inspect?: Inspect) {
    this.#relay = relay;
    this.#socket = socket;
    this.#inspect = inspect;
    this.#held = socket.unread();
    if (this.#held.length > 0) inspect?.(this.#held, 0, this.#held.length);
    socket.given = true;
    socket.mover = this;
  }

  start(other: Side): void {
    this.#other = other;
    this.resume();
  }

  moved(_socket: Descriptor, events: number): void {
    try {
      const failure = events & EPOLLERR ? this.#socket.pendingFailure() : undefined;
      if (failure) return this.#relay.end(failure); // told even while the other side has no room
      if (this.#socket.writable && this.#unsent.size > 0) this.#drain();
      if (this.#socket.readable) this.#pull();
    } catch (thrown) {
      this.#relay.end(asGateError(thrown));
    }
  }

  gone(_socket: Descriptor, reason: GateError): void {
    this.#relay.end(reason);
  }

  resume(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    again(this.#scheduledPull);
  }

  put(bytes: Uint8Array, at: number, size: number): void {
    try {
      let sent = 0;
      if (this.#unsent.size === 0) {
        sent = Math.max(0, this.#socket.send(at === 0 ? bytes : bytes.subarray(at), size));
      }
      this.#unsent.push(bytes, at + sent, size - sent);
      if (sent > 0) this.#other!.delivered(sent);
    } catch (thrown) {
      this.#relay.end(asGateError(thrown));
    }
  }

  finish(): void {
    this.#finish = true;
    this.#finishWhenSent();
  }

  delivered(): void {} // the kernel's own window does it

  close(failure: GateError | undefined): void {
    this.#socket.mover = undefined;
    if (failure) this.#socket.reset(failure);
    else this.#socket.close();
  }

  #scheduledPull = (): void => {
    this.#scheduled = false;
    if (this.#relay.over) return;
    try {
      this.#pull();
    } catch (thrown) {
      this.#relay.end(asGateError(thrown));
    }
  };

  #pull(): void {
    const joint = this.#other?.joint;
    if (!joint) return;
    for (let turn = 0; !this.ended && !this.#relay.over; turn++) {
      if (this.#held.length === 0 && !this.#socket.readable) return;
      if (turn === TURNS) return this.resume();
      const room = joint.reserve(BATCH);
      if (!room) return;
      let size = 0;
      if (this.#held.length > 0) {
        size = fill(room, this.#held, 0, this.#held.length);
        this.#held = behind(this.#held, size);
      } else {
        size = this.#socket.recv(room.bytes.subarray(room.at[0], room.at[0] + room.size[0]));
        if (size < 0) return;
        if (size > 0) this.#inspect?.(room.bytes, room.at[0], size);
      }
      if (size === 0) {
        this.ended = true;
        if (!this.finished) this.#socket.probe();
        this.#other!.finish();
      } else joint.commit(size);
      this.received += size;
      this.#relay.progress();
    }
  }

  #drain(): void {
    while (this.#unsent.size > 0) {
      const sent = this.#socket.send(this.#unsent.first());
      if (sent < 0) return;
      this.#unsent.drop(sent);
      this.#other!.delivered(sent);
    }
    this.#relay.progress();
    this.#finishWhenSent();
  }

  #finishWhenSent(): void {
    if (!this.#finish || this.finished || this.#unsent.size > 0 || this.#relay.over) return;
    this.finished = true;
    this.#socket.shutdownWrite();
    this.#relay.progress();
  }
}
