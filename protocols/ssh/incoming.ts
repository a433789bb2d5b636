/**
 * Packets out of what comes, in whatever parts: opened in place where they lie whole; those that came in parts are put
 * together in a buffer that the thread lends, so that an idle connection has none.
 */
import type { Side } from "../../gate/errors.ts";
import { malformed, notAuthentic } from "./failure.ts";
import {
  HEADER,
  LEAST_PACKET,
  LENGTH,
  type Opener,
  payloadSize,
  plainOpener,
} from "./protection/protection.ts";

/** packet_length at most (RFC 4253 6.1). */
export const MOST_PACKET = 35_000;
/** Of a MAC. */
const MOST_TAG = 64;
const LENT = LENGTH + MOST_PACKET + MOST_TAG;
/** Buffers of the thread that are kept for the next one. */
const MOST_SPARE = 8;
const spare: Uint8Array[] = [];

/** Who gets the payloads. */
export interface Packets {
  /** A payload of 1 byte or more, which lies there until `release`. false: the next packet is not looked at yet. */
  packet(bytes: Uint8Array, at: number, size: number): boolean;
}

export class Incoming {
  /** Of the packet that comes next. */
  sequence = 0;
  /** Bytes of packets since the keys were made. */
  bytes = 0;
  readonly #side: Side;
  readonly #to: Packets;
  readonly #most: number;
  #opener: Opener = plainOpener;
  /** packet_length of the packet that comes, and was not opened; -1: not known yet. */
  #length = -1;
  /** Its beginning, where it comes in parts. */
  #parts: Uint8Array | undefined;
  #filled = 0;
  /** Its payload may still be looked at. */
  #shown: Uint8Array[] = [];

  /** `most`: packet_length at most, where more than the usual was offered to the peer. */
  constructor(side: Side, to: Packets, most = MOST_PACKET) {
    this.#side = side;
    this.#to = to;
    this.#most = most;
  }

  /** Takes bytes up to `end`; where it stopped: at `end`, or behind a packet after which no other is looked at. */
  take(bytes: Uint8Array, at: number, end: number): number {
    let goesOn = true;
    if (this.#parts) {
      at = this.#fill(this.#parts, bytes, at, end);
      if (!this.#isWhole(this.#parts)) return at;
      goesOn = this.#openParts(this.#parts);
    }
    while (goesOn && end - at >= LENGTH) {
      const whole = this.#whole(bytes, at);
      if (end - at < whole) break;
      goesOn = this.#open(bytes, at);
      at += whole;
    }
    if (!goesOn || at === end) return at;
    this.#keep(bytes, at, end);
    return end;
  }

  /** Nobody looks at the payloads any more. */
  release(): void {
    while (this.#shown.length > 0) giveBack(this.#shown.pop()!);
  }

  /** From here on under these keys; the old ones are freed. `anew`: packets are counted from 0 again. */
  openWith(opener: Opener, anew: boolean): void {
    this.#opener[Symbol.dispose]();
    this.#opener = opener;
    this.bytes = 0;
    if (anew) this.sequence = 0;
  }

  [Symbol.dispose](): void {
    this.#opener[Symbol.dispose]();
    this.release();
    if (this.#parts) giveBack(this.#parts);
    this.#parts = undefined;
  }

  /** How long the packet at `at` is in all, of which LENGTH bytes are there. */
  #whole(bytes: Uint8Array, at: number): number {
    const { block, counted, tag } = this.#opener;
    if (this.#length < 0) {
      const length = this.#opener.length(bytes, at, this.sequence);
      if (length < LEAST_PACKET || length > this.#most || (counted + length) % block > 0) {
        throw malformed(this.#side, "read an SSH packet", `its length is ${length}`);
      }
      this.#length = length;
    }
    return LENGTH + this.#length + tag;
  }

  #open(bytes: Uint8Array, at: number): boolean {
    const length = this.#length, { tag } = this.#opener;
    this.#length = -1;
    if (!this.#opener.open(bytes, at, length, this.sequence)) throw notAuthentic(this.#side);
    const size = payloadSize(bytes, at, length);
    if (size === 0) throw malformed(this.#side, "read an SSH packet", "it has no payload");
    this.sequence = this.sequence + 1 >>> 0;
    this.bytes += LENGTH + length + tag;
    return this.#to.packet(bytes, at + HEADER, size);
  }

  #openParts(parts: Uint8Array): boolean {
    this.#shown.push(parts);
    this.#parts = undefined;
    return this.#open(parts, 0);
  }

  /** Adds to the packet that is put together; where the rest begins. */
  #fill(parts: Uint8Array, bytes: Uint8Array, at: number, end: number): number {
    at = this.#fillTo(LENGTH, parts, bytes, at, end);
    return this.#filled < LENGTH ? at : this.#fillTo(this.#whole(parts, 0), parts, bytes, at, end);
  }

  #fillTo(size: number, parts: Uint8Array, bytes: Uint8Array, at: number, end: number): number {
    const wanted = Math.max(0, Math.min(size - this.#filled, end - at));
    parts.set(bytes.subarray(at, at + wanted), this.#filled);
    this.#filled += wanted;
    return at + wanted;
  }

  #isWhole(parts: Uint8Array): boolean {
    return this.#filled >= LENGTH && this.#filled === this.#whole(parts, 0);
  }

  #keep(bytes: Uint8Array, at: number, end: number): void {
    const parts = this.#parts = this.#most === MOST_PACKET
      ? spare.pop() ?? new Uint8Array(LENT)
      : new Uint8Array(LENGTH + this.#most + MOST_TAG);
    parts.set(bytes.subarray(at, end));
    this.#filled = end - at;
  }
}

function giveBack(buffer: Uint8Array): void {
  if (buffer.length === LENT && spare.length < MOST_SPARE) spare.push(buffer);
}
