/**
 * A raw socket as a joint, for a layer that lies upon it: one receive and one send buffer for the thread, what is
 * committed leaves with the batch, what the kernel refuses is kept and closes `reserve` until it has left.
 */
import type { Joint, Room, Stream, Taker } from "../streams.ts";
import { asGateError, type GateError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import { behind } from "./held.ts";
import { EPOLLERR } from "./layout.ts";
import { again, atTurnEnd } from "./loop.ts";

/** One recv, and one batch to send. */
const BATCH = 262144;
/** What is left of the send buffer is not given out below this: a layer above would cut tiny records. */
const LEAST_ROOM = 1024;
/** Taken and not delivered: above it the socket is not read. */
const WINDOW = 262144;
/** Receives of one socket before others get their turn. */
const TURNS = 4;

const receiving = new Uint8Array(BATCH), sending = new Uint8Array(BATCH);
const room: Room = { bytes: sending, pieces: 1, at: new Int32Array(16), size: new Int32Array(16) };
let sender: RawJoint | undefined, gathered = 0;

/** Sends what was gathered for the socket that reserved last. */
function flushGathered(): void {
  const owner = sender, size = gathered;
  sender = undefined;
  gathered = 0;
  if (owner && size > 0) owner.transmit(sending, size);
}
atTurnEnd(flushGathered);

/** Makes a promise stream of the socket again: `held` was read and not taken, `unsent` the kernel refused. */
export type Back = (held: Uint8Array, unsent: Uint8Array) => Stream;

export class RawJoint implements Joint, Mover {
  readonly #socket: Descriptor & Stream;
  readonly #back: Back;
  #taker: Taker | undefined;
  #held: Uint8Array;
  #unsent = new ByteQueue();
  #window = WINDOW;
  #left = Infinity;
  #scheduled = false;
  #wantsRoom = false;
  /** FIN came; ours is asked for. */
  #ended = false;
  #finish = false;

  constructor(socket: Descriptor & Stream, unread: () => Uint8Array, back: Back) {
    this.#socket = socket;
    this.#back = back;
    this.#held = unread();
    socket.mover = this;
  }

  get hasSpoken(): boolean {
    return this.#held.length > 0 || this.#socket.hasSpoken;
  }

  join(to: Taker, bytes = Infinity): void {
    this.#taker = to;
    this.#left = bytes;
    this.#schedule();
  }

  reserve(most: number, least = 1): Room | undefined {
    if (
      this.#unsent.size === 0 &&
      (sender !== this || BATCH - gathered < Math.max(least, Math.min(most, LEAST_ROOM)))
    ) {
      flushGathered(); // this may be what fills the kernel's buffer
      sender = this;
    }
    if (this.#unsent.size > 0) {
      this.#wantsRoom = true;
      return undefined;
    }
    room.pieces = 1;
    room.at[0] = gathered;
    room.size[0] = Math.min(most, BATCH - gathered);
    return room;
  }

  commit(bytes: number): void {
    gathered += bytes;
  }

  post(bytes: Uint8Array, size: number): boolean {
    if (sender === this) flushGathered();
    this.#wantsRoom ||= this.#unsent.size > 0;
    if (this.#unsent.size > 0) return false;
    this.transmit(bytes, size);
    return true;
  }

  delivered(bytes: number): void {
    this.#window += bytes;
    if (this.#socket.readable || this.#held.length > 0) this.#schedule();
  }

  leave(): Stream {
    if (sender === this) flushGathered();
    this.#taker = undefined;
    if (this.#socket.mover === this) this.#socket.mover = undefined;
    const stream = this.#back(this.#held, this.#unsent.all());
    if (this.#finish && this.#unsent.size > 0) stream.closeWrite().catch(() => {}); // reading tells why it broke
    return stream;
  }

  end(): void {
    if (this.#finish) return;
    if (sender === this) flushGathered();
    this.#finish = true;
    if (this.#unsent.size === 0 && this.#socket.fd >= 0) this.#socket.shutdownWrite();
    this.#closeIfOver();
  }

  abort(reason: GateError): void {
    if (sender === this) sender = undefined;
    this.#taker = undefined;
    if (this.#socket.mover === this) this.#socket.mover = undefined;
    this.#socket.abort(reason); // whoever it was left to hears of it
  }

  moved(_socket: Descriptor, events: number): void {
    try {
      const failure = events & EPOLLERR ? this.#socket.pendingFailure() : undefined;
      if (failure) return this.#broke(failure); // told even while nothing is read
      if (this.#socket.writable && this.#unsent.size > 0) this.#drain();
      if (this.#socket.readable) this.#pull();
    } catch (thrown) {
      this.#broke(asGateError(thrown)); // the peer's reset, or a layer that cannot read what came
    }
  }

  gone(_socket: Descriptor, reason: GateError): void {
    this.#broke(reason);
  }

  /** Sends the first `size` bytes, keeps what the kernel refuses. */
  transmit(bytes: Uint8Array, size: number): void {
    if (this.#socket.fd < 0) return;
    try {
      const sent = Math.max(0, this.#socket.send(bytes, size));
      this.#unsent.push(bytes, sent, size - sent);
    } catch (thrown) {
      again(() => this.#broke(asGateError(thrown)));
    }
  }

  #drain(): void {
    while (this.#unsent.size > 0) {
      const sent = this.#socket.send(this.#unsent.first());
      if (sent < 0) return;
      this.#unsent.drop(sent);
    }
    if (this.#finish) this.#socket.shutdownWrite();
    this.#closeIfOver();
    if (!this.#wantsRoom) return;
    this.#wantsRoom = false;
    this.#taker?.room();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    again(this.#scheduledPull);
  }

  #scheduledPull = (): void => {
    this.#scheduled = false;
    try {
      if (this.#socket.fd < 0 && !this.#ended) this.#socket.open(); // throws why it is gone
      this.#pull();
    } catch (thrown) {
      this.#broke(asGateError(thrown));
    }
  };

  #probe = (): void => {
    if (!this.#finish && this.#socket.mover === this) this.#socket.probe();
  };

  #pull(): void {
    for (let turn = 0; this.#open(); turn++) {
      if (turn === TURNS) return this.#schedule();
      if (!this.#receive()) return;
    }
  }

  #open(): boolean {
    if (!this.#taker || this.#ended || this.#left === 0 || this.#window <= 0) return false;
    return this.#held.length > 0 || (this.#socket.readable && this.#socket.fd >= 0);
  }

  /** One batch to the taker; false: nothing now. */
  #receive(): boolean {
    const most = Math.min(this.#left, this.#window, BATCH);
    const taker = this.#taker!;
    if (this.#held.length > 0) {
      const size = Math.min(most, this.#held.length), held = this.#held;
      this.#held = behind(held, size);
      this.#give(taker, held, size);
      return true;
    }
    const places = taker.places ?? receiving;
    const size = this.#socket.recv(most >= places.length ? places : places.subarray(0, most));
    if (size < 0) return false;
    if (size > 0) {
      this.#give(taker, places, size);
      return true;
    }
    this.#ended = true;
    taker.end();
    this.#closeIfOver();
    if (!this.#finish) again(this.#probe); // most layers end at once, too
    return false;
  }

  #give(taker: Taker, bytes: Uint8Array, size: number): void {
    this.#window -= size;
    this.#left -= size;
    taker.take(bytes, 0, size);
    taker.flush();
    if (this.#left === 0 && this.#taker === taker) taker.end();
  }

  #broke(reason: GateError): void {
    const taker = this.#taker;
    this.abort(reason);
    taker?.broke(reason);
  }

  /** Both ends have been told: nothing more can come or go. */
  #closeIfOver(): void {
    if (this.#ended && this.#finish && this.#unsent.size === 0) this.#socket.close();
  }
}
