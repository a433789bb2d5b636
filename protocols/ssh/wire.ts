/**
 * The data types of SSH (RFC 4251 5), out of bytes and into them. A length is never trusted: reading beyond the end fails
 * once and for all and yields zeros and empty bytes, so a parser asks at its end whether anything failed.
 */
import { GateError } from "../../gate/errors.ts";

/** Of a name-list, its names: no peer is near either. */
const MOST_LIST = 8192, MOST_NAMES = 256;
/** Of one name (RFC 4251 6). */
const MOST_NAME = 64;
/** Of an mpint: room for keys of 16384 bits. */
const MOST_MPINT = 2049;

const NOTHING = new Uint8Array(0);
const latin1 = new TextDecoder("latin1"), utf8 = new TextDecoder();
const encoder = new TextEncoder();

export class Reader {
  /** Something was not there, or not as it has to be. */
  failed = false;
  #bytes: Uint8Array;
  #at: number;
  #end: number;

  /** The bytes from `at` up to `end`: a window into them. */
  constructor(bytes: Uint8Array = NOTHING, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Begins anew: one reader serves many messages. */
  read(bytes: Uint8Array, at: number, end: number): this {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.failed = false;
    return this;
  }

  /** Where the next field begins. */
  get at(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** Everything was read, and was there. */
  get whole(): boolean {
    return !this.failed && this.left === 0;
  }

  byte(): number {
    const at = this.#advance(1);
    return this.failed ? 0 : this.#bytes[at];
  }

  /** Any value but 0 is true. */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    const at = this.#advance(4);
    return this.failed ? 0 : uint32At(this.#bytes, at);
  }

  uint64(): bigint {
    const high = this.uint32();
    return BigInt(high) << 32n | BigInt(this.uint32());
  }

  /** So many bytes as they are: a view. */
  raw(size: number): Uint8Array {
    const at = this.#advance(size);
    return this.failed ? NOTHING : this.#bytes.subarray(at, at + size);
  }

  /** A string: a view. */
  string(): Uint8Array {
    return this.raw(this.uint32());
  }

  /** Passes over a string; where its bytes begin, and `at` is where they end. */
  skipString(): number {
    return this.#advance(this.uint32());
  }

  /** A string for people, UTF-8; what is none comes as replacement characters. */
  text(): string {
    return utf8.decode(this.string());
  }

  /** A string that is a name: up to 64 visible characters of US-ASCII, no comma (RFC 4251 6). */
  name(): string {
    const name = latin1.decode(this.string());
    if (!isName(name)) this.failed = true;
    return this.failed ? "" : name;
  }

  /** Names in the order of preference (RFC 4251 5). */
  nameList(): string[] {
    const size = this.uint32();
    if (size > MOST_LIST) this.failed = true;
    const list = latin1.decode(this.raw(size));
    if (this.failed || list === "") return [];
    const names = list.split(",", MOST_NAMES + 1);
    if (names.length > MOST_NAMES || !names.every(isName)) this.failed = true;
    return this.failed ? [] : names;
  }

  /** What is not negative, in the fewest bytes, as RFC 4251 5 has it: a view of its magnitude, without a leading zero. */
  mpint(): Uint8Array {
    const bytes = this.string();
    const negative = bytes.length > 0 && bytes[0] >= 0x80;
    const padded = bytes.length > 0 && bytes[0] === 0;
    if (negative || bytes.length > MOST_MPINT || padded && !(bytes[1] >= 0x80)) this.failed = true;
    if (this.failed) return NOTHING;
    return padded ? bytes.subarray(1) : bytes;
  }

  #advance(size: number): number {
    const from = this.#at;
    if (size > this.left) {
      this.failed = true;
      this.#at = this.#end;
      return this.#end;
    }
    this.#at += size;
    return from;
  }
}

const isName = (name: string): boolean => name.length <= MOST_NAME && /^[\x21-\x2b\x2d-\x7e]+$/.test(name);

export function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes into bytes that it is given. Throws GateError "internal" where they are too few. */
export class Writer {
  /** Where the next field goes. */
  at: number;

  constructor(readonly bytes: Uint8Array, readonly start = 0) {
    this.at = start;
  }

  /** What was written so far: a view. */
  get written(): Uint8Array {
    return this.bytes.subarray(this.start, this.at);
  }

  byte(value: number): this {
    const at = this.#advance(1);
    this.bytes[at] = value;
    return this;
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    putUint32(this.bytes, this.#advance(4), value);
    return this;
  }

  uint64(value: bigint): this {
    return this.uint32(Number(value >> 32n & 0xffffffffn)).uint32(Number(value & 0xffffffffn));
  }

  /** As they are. */
  raw(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#advance(bytes.length));
    return this;
  }

  string(bytes: Uint8Array): this {
    return this.uint32(bytes.length).raw(bytes);
  }

  /** A string in UTF-8. */
  text(text: string): this {
    return this.string(encoder.encode(text));
  }

  nameList(names: readonly string[]): this {
    return this.text(names.join(","));
  }

  /** A magnitude: what is not negative, leading zeros or not. */
  mpint(magnitude: Uint8Array): this {
    let from = 0;
    while (from < magnitude.length && magnitude[from] === 0) from++;
    const padded = from < magnitude.length && magnitude[from] >= 0x80;
    this.uint32(magnitude.length - from + (padded ? 1 : 0));
    if (padded) this.byte(0);
    return this.raw(magnitude.subarray(from));
  }

  #advance(size: number): number {
    const from = this.at;
    if (from + size > this.bytes.length) {
      const state = `${size} bytes at ${from} of ${this.bytes.length}`;
      throw new GateError("internal", "gate", `Cannot write an SSH message: no place for ${state}`);
    }
    this.at += size;
    return from;
  }
}

const scratch = new Uint8Array(65536);
let writing: Writer | undefined;

/** What `write` writes, as bytes of its own: at most 64 KiB, with what is encoded inside `write`. */
export function encoded(write: (to: Writer) => void): Uint8Array<ArrayBuffer> {
  const outer = writing, to = writing = new Writer(scratch, outer?.at ?? 0);
  try {
    write(to);
    return to.written.slice();
  } finally {
    to.written.fill(0); // it may have been a secret
    writing = outer;
  }
}
