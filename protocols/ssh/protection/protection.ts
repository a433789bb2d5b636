/** Packets (RFC 4253 6): what seals and opens those of one direction, in place, and the frame that all of them have. */
import { putUint32, uint32At } from "../wire.ts";

/** packet_length and padding_length. */
export const HEADER = 5, LENGTH = 4;
const LEAST_PADDING = 4;
/** packet_length at least: its padding, and a payload of a message number alone. */
export const LEAST_PACKET = 1 + 1 + LEAST_PADDING;

export interface Sealer extends Disposable {
  /** Bytes of a packet beyond its payload, at most. */
  readonly overhead: number;
  /** Makes a packet of the payload of `size` bytes that lies HEADER behind `at`; how long it is in all. */
  seal(bytes: Uint8Array, at: number, size: number, sequence: number): number;
}

export interface Opener extends Disposable {
  /** What packet_length, with the bytes before that are counted, is a multiple of. */
  readonly block: number;
  readonly counted: number;
  /** Bytes behind a packet that authenticate it. */
  readonly tag: number;
  /** packet_length of the packet at `at`, of which LENGTH bytes are there. To be asked once; not to be believed. */
  length(bytes: Uint8Array, at: number, sequence: number): number;
  /** Opens the packet at `at`, whose LENGTH + `length` + `tag` bytes are there. false: it is not authentic. */
  open(bytes: Uint8Array, at: number, length: number, sequence: number): boolean;
}

/** Bytes beyond the payload at most, where packets are multiples of `block` and have `tag` bytes behind them. */
export const overheadOf = (block: number, tag: number): number => HEADER + block + LEAST_PADDING - 1 + tag;

/**
 * Writes both lengths and the padding around a payload of `size` bytes; the answer is packet_length. `counted`: bytes
 * before padding_length that the multiple of `block` includes. The padding is zeros: what was in this memory before is
 * nobody's business, and ciphers that count need no random there.
 */
export function frame(bytes: Uint8Array, at: number, size: number, block: number, counted: number): number {
  let padding = block - (counted + 1 + size) % block;
  if (padding < LEAST_PADDING) padding += block;
  const from = at + HEADER + size;
  putUint32(bytes, at, 1 + size + padding);
  bytes[at + LENGTH] = padding;
  bytes.fill(0, from, from + padding);
  return 1 + size + padding;
}

/** The payload's size of an open packet; 0 where its padding leaves none, or is too short. */
export function payloadSize(bytes: Uint8Array, at: number, length: number): number {
  const padding = bytes[at + LENGTH];
  return padding < LEAST_PADDING ? 0 : Math.max(0, length - 1 - padding);
}

/** Before the first keys. */
const BLOCK = 8;

export const plainSealer: Sealer = {
  overhead: overheadOf(BLOCK, 0),
  seal: (bytes, at, size) => LENGTH + frame(bytes, at, size, BLOCK, LENGTH),
  [Symbol.dispose]() {},
};

export const plainOpener: Opener = {
  block: BLOCK,
  counted: LENGTH,
  tag: 0,
  length: uint32At,
  open: () => true,
  [Symbol.dispose]() {},
};
