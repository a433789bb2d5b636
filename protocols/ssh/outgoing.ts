/**
 * Packets on their way out: sealed where they leave from, in the places that the stream below gives; kept in order, sealed
 * already, while it has none.
 */
import type { Joint, Room } from "../../gate/streams.ts";
import { GateError } from "../../gate/errors.ts";
import { ByteQueue } from "../../gate/engine/byte_queue.ts";
import { fill } from "../../gate/engine/layered.ts";
import { HEADER, plainSealer, type Sealer } from "./protection/protection.ts";

/** Of a payload: packets of up to 35000 bytes in all have to be taken by everybody (RFC 4253 6.1). */
export const MOST_PAYLOAD = 34_900;
const MOST_OVERHEAD = 128;

/** One for the thread: where a packet is sealed that finds no place, and the room that is handed up. */
const aside = new Uint8Array(MOST_PAYLOAD + MOST_OVERHEAD);
const room: Room = { bytes: aside, pieces: 1, at: new Int32Array(1), size: new Int32Array(1) };

export class Outgoing {
  /** Bytes of packets since the keys were made. */
  bytes = 0;
  readonly #lower: Joint;
  #sealer: Sealer = plainSealer;
  #sequence = 0;
  #kept = new ByteQueue();
  /** Where the packet is that was reserved. */
  #places: Uint8Array = aside;
  #at = 0;

  constructor(lower: Joint) {
    this.#lower = lower;
  }

  /** Bytes that wait: the stream below tells when it has room. */
  get kept(): number {
    return this.#kept.size;
  }

  get blocked(): boolean {
    return this.#kept.size > 0;
  }

  /** Places for the payload of one packet, in one piece; undefined: the stream below tells when there are some. */
  reserve(most: number, least: number): Room | undefined {
    const { overhead } = this.#sealer, asked = Math.min(most, MOST_PAYLOAD);
    const below = this.blocked ? undefined : this.#lower.reserve(asked + overhead, least + overhead);
    if (below === undefined) return undefined;
    const fits = below.size[0] >= least + overhead; // else it is in pieces, and a packet cannot be
    this.#places = fits ? below.bytes : aside;
    this.#at = fits ? below.at[0] : 0;
    const size = fits ? below.size[0] - overhead : asked;
    room.bytes = this.#places;
    room.pieces = 1;
    room.at[0] = this.#at + HEADER;
    room.size[0] = size;
    return room;
  }

  /** The payload is there: it leaves with the batch. */
  commit(size: number): void {
    const whole = this.#seal(this.#places, this.#at, size);
    if (this.#places === aside) this.#keep(aside, whole);
    else this.#lower.commit(whole);
  }

  /** A message as a whole: now, or kept. Throws GateError "internal" beyond MOST_PAYLOAD bytes. */
  message(payload: Uint8Array): void {
    if (payload.length > MOST_PAYLOAD) {
      const state = `${payload.length} bytes are too long for a packet`;
      throw new GateError("internal", "gate", `Cannot send an SSH message: ${state}`);
    }
    if (!this.reserve(payload.length, payload.length)) {
      this.#places = aside;
      this.#at = 0;
    }
    this.#places.set(payload, this.#at + HEADER);
    this.commit(payload.length);
  }

  /** Bytes that are no packet: the version line. */
  raw(bytes: Uint8Array): void {
    this.#keep(bytes, bytes.length);
  }

  /** There is room below. */
  drain(): void {
    while (this.blocked) {
      const waiting = this.#kept.first(), below = this.#lower.reserve(waiting.length);
      if (!below) return;
      const placed = fill(below, waiting, 0, waiting.length);
      this.#lower.commit(placed);
      this.#kept.drop(placed);
    }
  }

  /** From here on under these keys; the old ones are freed. `anew`: packets are counted from 0 again. */
  sealWith(sealer: Sealer, anew: boolean): void {
    this.#sealer[Symbol.dispose]();
    this.#sealer = sealer;
    this.bytes = 0;
    if (anew) this.#sequence = 0;
  }

  [Symbol.dispose](): void {
    this.#sealer[Symbol.dispose]();
    this.#kept = new ByteQueue();
  }

  #seal(bytes: Uint8Array, at: number, size: number): number {
    const whole = this.#sealer.seal(bytes, at, size, this.#sequence);
    this.#sequence = this.#sequence + 1 >>> 0;
    this.bytes += whole;
    return whole;
  }

  #keep(bytes: Uint8Array, size: number): void {
    const wasBlocked = this.blocked;
    this.#kept.push(bytes, 0, size);
    if (!wasBlocked) this.drain();
  }
}
