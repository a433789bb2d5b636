/** Fields of keys, certificates and lists of them: read so that each mistake is told, and bounded one by one. */
import { createHash } from "node:crypto";
import { encoded, Reader } from "../wire.ts";

/** Why bytes are not what they should be, or what they say is not taken: one sentence for the log. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  get why(): string {
    return this.message;
  }
}

/** That a signature is not whose it is said to be: to know that took a verification. */
export class Forgery extends Refusal {}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one field after the other. Throws Refusal; what it answers are views of the bytes. */
export class Fields {
  readonly #reader: Reader;

  constructor(readonly bytes: Uint8Array) {
    this.#reader = new Reader(bytes);
  }

  get at(): number {
    return this.#reader.at;
  }

  get left(): number {
    return this.#reader.left;
  }

  byte(): number {
    return this.#whole(this.#reader.byte());
  }

  uint32(): number {
    return this.#whole(this.#reader.uint32());
  }

  uint64(): bigint {
    return this.#whole(this.#reader.uint64());
  }

  string(most = Infinity): Uint8Array {
    const bytes = this.#whole(this.#reader.string());
    if (bytes.length > most) {
      throw new Refusal(`a field of ${bytes.length} bytes, where ${most} are the most`);
    }
    return bytes;
  }

  /** UTF-8 without NUL, which C would see as its end. */
  text(most: number): string {
    const bytes = this.string(most);
    if (bytes.includes(0)) throw new Refusal("a NUL in a text");
    try {
      return UTF8.decode(bytes);
    } catch {
      throw new Refusal("a text that is no UTF-8");
    }
  }

  /** The octets of a positive number, without zeros in front. */
  positive(most: number): Uint8Array {
    const octets = this.#whole(this.#reader.mpint(), "a number that is negative, or has zeros in front");
    if (octets.length === 0) throw new Refusal("zero, where a positive number is needed");
    if (octets.length > most) {
      throw new Refusal(`a number of ${octets.length} octets, where ${most} are the most`);
    }
    return octets;
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.#reader.raw(this.left);
  }

  #whole<T>(value: T, why = "it is cut short"): T {
    if (this.#reader.failed) throw new Refusal(why);
    return value;
  }
}

/** What `read` makes of all the bytes; what is left over is a reason to refuse. */
export function readWhole<T>(bytes: Uint8Array, read: (fields: Fields) => T): T | Refusal {
  try {
    const fields = new Fields(bytes), value = read(fields);
    return fields.left === 0 ? value : new Refusal(`${fields.left} bytes behind its end`);
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown;
    throw thrown;
  }
}

/** The value; throws what stands in its place. */
export function required<T>(value: T | Refusal): T {
  if (value instanceof Refusal) throw value;
  return value;
}

/** All strings up to the end. Throws Refusal. */
export function each(bytes: Uint8Array): Uint8Array[] {
  const fields = new Fields(bytes), found: Uint8Array[] = [];
  while (fields.left > 0) found.push(fields.string());
  return found;
}

/** Strings one after the other, each behind its length: at most 64 KiB. */
export const strings = (...values: readonly (Uint8Array | string)[]): Uint8Array<ArrayBuffer> =>
  encoded((to) => {
    for (const value of values) {
      if (typeof value === "string") to.text(value);
      else to.string(value);
    }
  });

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The octets of a positive number as DER and SSH have them: a zero in front where they would be negative. */
export const unsigned = (octets: Uint8Array): Uint8Array =>
  octets[0] >= 0x80 ? concat(Uint8Array.of(0), octets) : octets;

export const sha256 = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash("sha256").update(bytes).digest());
