/**
 * Version lines and packets over a joint: what lies between the stream below and a transport's messages. It reads no
 * further while the peer does not read what it made us answer.
 */
import type { Joint, Taker } from "../../gate/streams.ts";
import { asGateError, type GateError, type Side } from "../../gate/errors.ts";
import { ByteQueue } from "../../gate/engine/byte_queue.ts";
import { JointLinger } from "../../gate/engine/joint_linger.ts";
import { IDENTIFICATION, Identification, identificationLine } from "./identification.ts";
import { Incoming, type Packets } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";

/**
 * Bytes that may wait to be sent while the peer is read on. What a peer makes us answer in good faith is far below: with
 * none at all two ends that both send much would wait for each other.
 */
const MOST_KEPT = 262_144;

/** Who has a link, and is told of nothing once it is over. */
export interface LinkOwner extends Packets {
  /** The peer's version line, without CR LF. Throws GateError. */
  identified(line: string): void;
  /** So many bytes came and were taken. Throws GateError. */
  taken(bytes: number): void;
  /** The last of what came together. */
  flushed(): void;
  room(): void;
  /** FIN came behind everything else. */
  ended(): void;
  /** The stream below is gone. */
  broke(reason: GateError): void;
  /** What came cannot be read, or was refused by a method above: the link stands. */
  refused(reason: GateError): void;
}

export class Link implements Taker {
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  isOver = false;
  readonly #lower: Joint;
  readonly #owner: LinkOwner;
  /** The peer's version line comes. */
  #identification: Identification | undefined;
  /** Came while the owner pauses. */
  #early = new ByteQueue();
  #paused = false;
  #lowerEnded = false;
  /** Bytes to tell the stream below as delivered, once our own have room there. */
  #credit = 0;

  /** Begins with our version line. `mostPacket`: packet_length at most. */
  constructor(lower: Joint, side: Side, owner: LinkOwner, mostPacket?: number) {
    this.#lower = lower;
    this.#owner = owner;
    this.outgoing = new Outgoing(lower);
    this.incoming = new Incoming(side, owner, mostPacket);
    this.#identification = new Identification(side);
    lower.join(this);
    this.outgoing.raw(identificationLine(IDENTIFICATION));
  }

  /** The owner looks at no other packet before it says so: `packet` is to answer false as well. */
  pause(): void {
    this.#paused = true;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** What came meanwhile follows. */
  goOn(): void {
    this.#paused = false;
    while (!this.isOver && !this.#paused && this.#early.size > 0) {
      const bytes = this.#early.first(), used = this.#input(bytes, 0, bytes.length);
      if (!this.isOver) this.#early.drop(used); // the rest stays first
      this.#deliver(used);
    }
    this.flush();
    if (this.#lowerEnded && !this.isOver && !this.#paused) this.#owner.ended();
  }

  /** Ends behind a last message, where there is room for one; `reason` is what the peer sees where there is none. */
  leave(message: Uint8Array | undefined, reason: GateError): void {
    if (this.isOver) return;
    if (message && !this.#identification) this.outgoing.message(message);
    const unsent = this.outgoing.blocked;
    this.close();
    if (unsent) this.#lower.abort(reason);
    else if (this.#lowerEnded) this.#lower.end();
    else new JointLinger(this.#lower);
  }

  /** The peer sees a reset. */
  abort(reason: GateError): void {
    if (this.isOver) return;
    this.close();
    this.#lower.abort(reason);
  }

  /** Nothing is done with the stream below: it is gone, or another's. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.incoming[Symbol.dispose]();
    this.outgoing[Symbol.dispose]();
    this.#early = new ByteQueue();
  }

  // The taker.

  take(bytes: Uint8Array, at: number, size: number): void {
    if (this.isOver) return;
    const used = this.#paused ? 0 : this.#input(bytes, at, at + size);
    this.#early.push(bytes, at + used, size - used);
    this.#deliver(used);
  }

  flush(): void {
    if (!this.isOver) this.#owner.flushed();
    this.incoming.release();
  }

  room(): void {
    if (this.isOver) return;
    this.outgoing.drain();
    this.#deliver(0);
    this.#owner.room();
  }

  end(): void {
    this.#lowerEnded = true;
    if (!this.isOver && !this.#paused) this.#owner.ended();
  }

  broke(reason: GateError): void {
    if (this.isOver) return;
    this.close();
    this.#owner.broke(reason);
  }

  /** How many were used: all, unless the owner pauses. */
  #input(bytes: Uint8Array, at: number, end: number): number {
    const from = at, all = end - at;
    try {
      if (this.#identification) at = this.#identify(this.#identification, bytes, at, end);
      if (!this.#identification) at = this.incoming.take(bytes, at, end);
      if (this.isOver) return all;
      this.#owner.taken(at - from);
    } catch (thrown) {
      if (!this.isOver) this.#owner.refused(asGateError(thrown));
      return all;
    }
    return at - from;
  }

  #identify(identification: Identification, bytes: Uint8Array, at: number, end: number): number {
    const next = identification.take(bytes, at, end), { line } = identification;
    if (line === undefined) return next;
    this.#identification = undefined;
    this.#owner.identified(line);
    return next;
  }

  /** Bytes were used up: the peer may send more, unless it does not read what it makes us answer. */
  #deliver(bytes: number): void {
    this.#credit += bytes;
    if (this.outgoing.kept > MOST_KEPT || this.#credit === 0 || this.isOver) return;
    const credit = this.#credit;
    this.#credit = 0;
    this.#lower.delivered(credit);
  }
}
