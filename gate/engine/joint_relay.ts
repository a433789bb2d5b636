/**
 * A relay where at least one stream is layered. Bytes of a raw socket are received straight into the places where the
 * layer seals them; opened bytes are sent from where they were opened, and copied only when the kernel refuses them.
 */
import type { Joint, Stream, Taker } from "../contracts.ts";
import { asGateError, GateError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { Expiring } from "./deadlines.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import { fill } from "./layered.ts";
import { again, deadlines, now } from "./loop.ts";
import type { Relay, RelayOwner } from "./relay.ts";
import { Socket } from "./socket.ts";

/** Asked of `reserve`: a layer gives what it has, up to this. */
const BATCH = 262144;
const TURNS = 8;

/** One end of the relay: where bytes come from, and where the other end's bytes go. */
interface Side {
  /** Bytes that came from this side. */
  received: number;
  /** FIN came from this side; it was passed on to it. */
  ended: boolean;
  finished: boolean;
  start(other: Side): void;
  /** Takes bytes for its peer; what cannot leave at once is kept. */
  put(bytes: Uint8Array, at: number, size: number): void;
  /** There is room at the other side again. */
  resume(): void;
  /** FIN behind what was put. */
  finish(): void;
  /** So many bytes of this side have left at the other. */
  delivered(bytes: number): void;
  close(failure: GateError | undefined): void;
  /** Where the other side may place its bytes itself; a raw socket has none. */
  readonly joint?: Joint;
}

export class JointRelay implements Relay, Expiring {
  readonly #client: Side;
  readonly #upstream: Side;
  readonly #owner: RelayOwner;
  readonly #idle: number;
  readonly #slot: number;
  #active = now;
  over = false;

  constructor(client: Stream, upstream: Stream, idle: number, owner: RelayOwner) {
    this.#owner = owner;
    this.#idle = idle;
    this.#slot = deadlines.claim(this);
    deadlines.set(this.#slot, now + idle);
    this.#client = this.#side(client);
    this.#upstream = this.#side(upstream);
    again(() => {
      if (!this.over) this.#client.start(this.#upstream);
      if (!this.over) this.#upstream.start(this.#client);
    });
  }

  get up(): number {
    return this.#client.received;
  }

  get down(): number {
    return this.#upstream.received;
  }

  abort(reason: GateError): void {
    this.end(reason);
  }

  expired(): void {
    if (now - this.#active < this.#idle) return deadlines.set(this.#slot, this.#active + this.#idle);
    this.end(new GateError("timeout", "gate", "Cannot go on: nothing moved for the idle time"));
  }

  /** Something moved, or ended. */
  progress(): void {
    this.#active = now;
    const over = this.#client.ended && this.#upstream.ended && this.#client.finished && this.#upstream.finished;
    if (over) this.end(undefined);
  }

  end(failure: GateError | undefined): void {
    if (this.over) return;
    this.over = true;
    deadlines.release(this.#slot);
    this.#client.close(failure);
    this.#upstream.close(failure);
    this.#owner.relayed(this.up, this.down, failure);
  }

  #side(stream: Stream): Side {
    if (stream instanceof Socket) return new RawSide(this, stream);
    if (stream.joint) return new LayeredSide(this, stream.joint());
    throw new GateError("internal", "gate", "Cannot relay a stream: it has neither a socket nor a joint");
  }
}

class RawSide implements Side, Mover {
  received = 0;
  ended = false;
  finished = false;
  readonly #relay: JointRelay;
  readonly #socket: Socket;
  #other!: Side;
  #held: Uint8Array;
  #unsent = new ByteQueue();
  #finish = false;
  #scheduled = false;

  constructor(relay: JointRelay, socket: Socket) {
    this.#relay = relay;
    this.#socket = socket;
    this.#held = socket.unread();
    socket.given = true;
    socket.mover = this;
  }

  start(other: Side): void {
    this.#other = other;
    this.resume();
  }

  moved(): void {
    this.#guarded(() => {
      if (this.#socket.writable && this.#unsent.size > 0) this.#drain();
      if (this.#socket.readable && this.#other) this.#pull();
    });
  }

  gone(_socket: Descriptor, reason: GateError): void {
    this.#relay.end(reason);
  }

  resume(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    again(() => {
      this.#scheduled = false;
      if (!this.#relay.over) this.#guarded(() => this.#pull());
    });
  }

  put(bytes: Uint8Array, at: number, size: number): void {
    this.#guarded(() => {
      let sent = 0;
      if (this.#unsent.size === 0) {
        const whole = at === 0 ? bytes : bytes.subarray(at);
        sent = Math.max(0, this.#socket.send(whole, size));
      }
      this.#unsent.push(bytes, at + sent, size - sent);
      if (sent > 0) this.#other.delivered(sent);
    });
  }

  finish(): void {
    this.#finish = true;
    this.#guarded(() => this.#finishWhenSent());
  }

  delivered(): void {} // the kernel's own window does it

  close(failure: GateError | undefined): void {
    this.#socket.mover = undefined;
    if (failure) this.#socket.reset(failure);
    else this.#socket.close();
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (thrown) {
      this.#relay.end(asGateError(thrown));
    }
  }

  /** From the socket into the places of the other side. */
  #pull(): void {
    for (let turn = 0; !this.ended && !this.#relay.over; turn++) {
      if (this.#held.length === 0 && !this.#socket.readable) return;
      if (turn === TURNS) return this.resume();
      const joint = this.#other.joint!;
      const room = joint.reserve(BATCH);
      if (!room) return;
      let size = 0;
      if (this.#held.length > 0) {
        size = fill(room, this.#held, 0, this.#held.length);
        this.#held = this.#held.subarray(size);
      } else {
        size = this.#socket.recv(room.bytes.subarray(room.at[0], room.at[0] + room.size[0]));
        if (size < 0) return;
      }
      if (size === 0) {
        this.ended = true;
        this.#other.finish();
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
      this.#other.delivered(sent);
      this.#relay.progress();
    }
    this.#finishWhenSent();
  }

  #finishWhenSent(): void {
    if (!this.#finish || this.finished || this.#unsent.size > 0) return;
    this.finished = true;
    this.#socket.shutdownWrite();
    this.#relay.progress();
  }
}

class LayeredSide implements Side, Taker {
  received = 0;
  ended = false;
  finished = false;
  readonly joint: Joint;
  readonly #relay: JointRelay;
  #other!: Side;
  #unsent = new ByteQueue();
  #finish = false;

  constructor(relay: JointRelay, joint: Joint) {
    this.#relay = relay;
    this.joint = joint;
  }

  start(other: Side): void {
    this.#other = other;
    this.joint.join(this);
  }

  // The taker: what this side's peer sends.

  take(bytes: Uint8Array, at: number, size: number): void {
    if (this.#relay.over) return;
    this.received += size;
    this.#other.put(bytes, at, size);
  }

  flush(): void {
    if (this.#relay.over) return;
    this.#relay.progress();
  }

  room(): void {
    if (this.#relay.over) return;
    this.#drain();
    if (this.#unsent.size === 0) this.#other.resume();
  }

  end(): void {
    if (this.#relay.over) return;
    this.ended = true;
    this.#other.finish();
    this.#relay.progress();
  }

  broke(reason: GateError): void {
    this.#relay.end(reason);
  }

  // The side: what the other side's peer sent.

  put(bytes: Uint8Array, at: number, size: number): void {
    const sent = this.#unsent.size > 0 ? 0 : this.#place(bytes, at, size);
    this.#unsent.push(bytes, at + sent, size - sent);
    if (sent > 0) this.#other.delivered(sent);
  }

  resume(): void {} // what the joint has comes by itself, within its window

  finish(): void {
    this.#finish = true;
    this.#finishWhenSent();
  }

  delivered(bytes: number): void {
    this.joint.delivered(bytes);
  }

  close(failure: GateError | undefined): void {
    if (failure) this.joint.abort(failure);
  }

  #place(bytes: Uint8Array, at: number, size: number): number {
    let placed = 0;
    while (placed < size) {
      const room = this.joint.reserve(size - placed);
      if (!room) break;
      const n = fill(room, bytes, at + placed, size - placed);
      this.joint.commit(n);
      placed += n;
    }
    return placed;
  }

  #drain(): void {
    while (this.#unsent.size > 0) {
      const first = this.#unsent.first(), placed = this.#place(first, 0, first.length);
      if (placed === 0) return;
      this.#unsent.drop(placed);
      this.#other.delivered(placed);
      this.#relay.progress();
    }
    this.#finishWhenSent();
  }

  #finishWhenSent(): void {
    if (!this.#finish || this.finished || this.#unsent.size > 0) return;
    this.finished = true;
    this.joint.end();
    this.#relay.progress();
  }
}
