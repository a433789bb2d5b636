/**
 * TLS as a layer over a joint, the same for both sides: records are opened into one buffer of the thread and sealed from
 * another. The handshake comes first; until it is over nothing is handed up and there is no room.
 */
import type { Joint, Room, Taker } from "../../gate/streams.ts";
import { asGateError, type GateError, type Side } from "../../gate/errors.ts";
import { ByteQueue } from "../../gate/engine/byte_queue.ts";
import { JointLinger } from "../../gate/engine/joint_linger.ts";
import type { Core } from "../../gate/engine/layered.ts";
import { after, again } from "../../gate/engine/loop.ts";
import * as step from "../../gate/engine/openssl.ts";
import { type Connection, isRecord } from "../../gate/engine/openssl.ts";
import { TurnBudget } from "../../gate/engine/turn_budget.ts";
import { factsOf, type TlsFacts } from "./facts.ts";
import { failureOf, flooded, truncated, unread } from "./failure.ts";
import { Opened } from "./opened.ts";
import { capacity, Output } from "./output.ts";

/** Handshakes of a turn, ms: one costs 0.1 to 2, and others wait meanwhile. */
const handshakes = new TurnBudget(1);
/** Bytes that may come without one that is handed up: a handshake with 100 KiB of certificates, no flood of key updates. */
const MOST_BARREN = 262144;

/** Both sides have ended: so long the peer has to read what it has not, ms. */
const LAST_READING = 30_000;

const sealing = new Uint8Array(step.MOST_WRITTEN);
const room: Room = { bytes: sealing, pieces: 1, at: new Int32Array(1), size: new Int32Array(1) };
const overhead = (bytes: number): number => Math.ceil(bytes / step.RECORD) * step.RECORD_OVERHEAD;

export class TlsCore implements Core {
  readonly #lower: Joint;
  readonly #connection: Connection;
  readonly #output: Output;
  readonly #opened = new Opened();
  readonly #settled: (outcome: TlsFacts | GateError) => void;
  #upper!: Taker;
  #established = false;
  #over = false;
  /** close_notify came; ours went out; FIN came. */
  #endedIn = false;
  #endedOut = false;
  #lowerEnded = false;
  #wantsRoom = false;
  /** Came while there was no time for handshakes. */
  #early = new ByteQueue();
  /** Bytes to tell the stream below as delivered; below zero where it was told of a record before that was opened. */
  #credit = 0;
  /** The peer makes us answer and does not read: it has to, before it may send more. */
  #withheld = false;
  #barren = 0;

  /** Owns both. `settled` is told once: what the handshake agreed on, or why it failed. */
  constructor(
    lower: Joint,
    connection: Connection,
    readonly side: Side,
    settled: (outcome: TlsFacts | GateError) => void,
  ) {
    this.#lower = lower;
    this.#connection = connection;
    this.#incoming.places = connection.places;
    this.#output = new Output(lower, connection);
    this.#settled = settled;
  }

  // The core: what the stream above does.

  get hasSpoken(): boolean {
    return this.#lower.hasSpoken ?? false;
  }

  attach(to: Taker): void {
    this.#upper = to;
    this.#lower.join(this.#incoming);
    if (this.side === "upstream") handshakes.spend(() => this.#handshake());
  }

  reserve(most: number, least = 1): Room | undefined {
    const open = this.#established && !this.#over && !this.#endedOut && !this.#output.blocked;
    const asked = Math.min(most, step.MOST_WRITTEN);
    const below = open ? this.#lower.reserve(asked + overhead(asked), least + overhead(least)) : undefined;
    this.#wantsRoom = below === undefined;
    if (!below) return undefined;
    const bytes = capacity(below), records = Math.ceil(bytes / (step.RECORD + step.RECORD_OVERHEAD));
    room.at[0] = 0; // a layer above may have moved it
    room.size[0] = Math.min(asked, bytes - records * step.RECORD_OVERHEAD);
    return room;
  }

  commit(bytes: number): void {
    if (bytes === 0 || this.#over) return;
    const state = this.#connection.write(sealing, bytes);
    this.#output.send();
    if (state === step.DONE) return;
    const failure = failureOf(this.#connection, this.side, "seal a TLS record");
    again(() => this.#fail(failure));
  }

  delivered(bytes: number): void {
    this.#credit += bytes;
    if (this.#over || this.#withheld || this.#credit <= 0) return;
    const credit = this.#credit;
    this.#credit = 0;
    this.#lower.delivered(credit);
  }

  end(): void {
    if (this.#over || this.#endedOut) return;
    this.#endedOut = true;
    this.#connection.shutdown();
    this.#output.send();
    this.#finish();
  }

  abort(reason: GateError): void {
    if (this.#over) return;
    this.#close();
    this.#lower.abort(reason);
    if (!this.#established) this.#settled(reason);
  }

  // What comes from below.

  readonly #incoming: Taker & { places?: Uint8Array } = {
    places: undefined,
    take: (bytes, at, size) => {
      if (this.#over) return;
      if (this.#endedIn) return this.delivered(size); // nothing counts behind close_notify
      if (this.#established || handshakes.open) return this.#input(bytes, at, size);
      if (this.#early.size === 0) handshakes.later(() => this.#inputEarly());
      this.#early.push(bytes, at, size);
    },
    flush: () => this.#flush(),
    room: () => {
      if (this.#over) return;
      this.#output.drain();
      if (this.#output.blocked) return;
      this.#withheld = false;
      this.delivered(0);
      if (this.#endedOut) this.#finish();
      else this.#tellRoom();
    },
    end: () => {
      this.#lowerEnded = true;
      if (!this.#over && !this.#endedIn && this.#early.size === 0) this.#truncated();
    },
    broke: (reason) => {
      if (!this.#over) this.#break(reason);
    },
  };

  #inputEarly(): void {
    try {
      for (let size = this.#early.size; !this.#over && size > 0; size = this.#early.size) {
        const bytes = this.#early.first();
        this.#early.drop(bytes.length);
        this.#input(bytes, 0, bytes.length);
      }
      this.#flush();
    } catch (thrown) {
      return this.#fail(asGateError(thrown));
    }
    if (this.#lowerEnded && !this.#over && !this.#endedIn) this.#truncated();
  }

  #input(bytes: Uint8Array, at: number, size: number): void {
    const end = at + size;
    for (; at < end && !this.#over && !this.#endedIn; at += step.MOST_INPUT) {
      const part = Math.min(step.MOST_INPUT, end - at);
      this.#connection.feed(bytes, at, part);
      this.#credit += part;
      this.#barren += part;
      if (this.#established || handshakes.spend(() => this.#handshake())) {
        this.#open(part, this.#opened.whole && isRecord(bytes, at, part));
      }
      if (!this.#over) this.delivered(0);
      if (this.#barren > MOST_BARREN) this.#fail(flooded(this.side, MOST_BARREN));
    }
  }

  /** Whether it is over, and well. */
  #handshake(): boolean {
    for (;;) {
      const state = this.#connection.handshake();
      this.#output.send();
      if (state === step.OUTPUT_FULL) continue;
      if (state === step.WANTS_INPUT) return false;
      if (state !== step.DONE) {
        this.#fail(failureOf(this.#connection, this.side, "finish a TLS handshake"));
        return false;
      }
      this.#established = true;
      this.#settled(factsOf(this.#connection));
      if (!this.#over) this.#tellRoom();
      return !this.#over; // who was told may have closed it
    }
  }

  /** Hands over what the records say of which so many bytes came. The ring is empty before anybody else is called. */
  #open(came: number, alone: boolean): void {
    const opened = this.#opened, connection = this.#connection;
    const state = opened.read(connection, this.#output, came, alone), { size } = opened;
    const failure = state === step.BROKEN ? failureOf(connection, this.side, "open a TLS record") : undefined;
    if (!alone || size === 0) this.#answer(); // content that is alone asks for none
    this.#credit -= size;
    if (size > 0) {
      this.#barren = 0;
      this.#upper.take(opened.bytes, opened.at, size);
    }
    if (failure || state === step.ENDED) this.#flush();
    if (this.#over) return;
    if (failure) this.#fail(failure);
    else if (state === step.ENDED) this.#end();
  }

  /** Sends what reading gave rise to: an alert, a key update. */
  #answer(): void {
    if (this.#output.send() && this.#output.blocked) this.#withheld = true;
  }

  #flush(): void {
    if (this.#over) return;
    if (this.#established) this.#upper.flush();
    this.#opened.release();
  }

  #tellRoom(): void {
    if (!this.#wantsRoom) return;
    this.#wantsRoom = false;
    this.#upper.room();
  }

  /** close_notify came. */
  #end(): void {
    this.#endedIn = true;
    this.#upper.end();
    if (!this.#over && this.#endedOut) this.#finish();
  }

  /** FIN below our close_notify, once that has room; the end of all where the peer's came too. */
  #finish(): void {
    if (!this.#output.blocked) {
      this.#lower.end();
      if (this.#endedIn) this.#leave();
    } else if (this.#endedIn) after(LAST_READING, () => this.abort(unread(this.side))); // nobody above waits any more
  }

  /** Nothing more is to come; who does not end below is cut after a moment. */
  #leave(): void {
    this.#close();
    if (this.#lowerEnded) this.#lower.end();
    else new JointLinger(this.#lower);
  }

  #truncated(): void {
    const reason = truncated(this.side, this.#established);
    this.#break(reason);
    if (this.#established) this.#lower.abort(reason);
    else this.#lower.end();
  }

  /** Behind an alert, where there is one. */
  #fail(reason: GateError): void {
    if (this.#over) return;
    if (this.#output.blocked) {
      this.#lower.abort(reason);
      this.#close();
    } else this.#leave();
    this.#tellBroke(reason);
  }

  #break(reason: GateError): void {
    this.#close();
    this.#tellBroke(reason);
  }

  #close(): void {
    this.#over = true;
    this.#connection[Symbol.dispose]();
    this.#opened.release();
    this.#early = new ByteQueue();
  }

  #tellBroke(reason: GateError): void {
    if (!this.#established) this.#settled(reason);
    this.#upper.broke(reason);
  }
}
