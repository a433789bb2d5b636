/**
 * The vectors of TLS (RFC 8446 3.4): a length, then so many bytes. Reading beyond the end fails once and for all and
 * yields zeros and empty vectors, so a parser asks at its end whether anything failed.
 */
export class Vector {
  failed = false;
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  /** The bytes from `at` up to `end`: a window into them, for a view of its own would cost more than the parsing. */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** An unsigned integer of 1 to 3 bytes. */
  uint(bytes: number): number {
    const from = this.#advance(bytes);
    let value = 0;
    for (let at = from; at < this.#at; at++) value = value << 8 | this.#bytes[at];
    return value;
  }

  skip(bytes: number): void {
    this.#advance(bytes);
  }

  /** Passes over a vector inside this one, its length in so many bytes. */
  skipVector(lengthBytes: number): void {
    this.#advance(this.uint(lengthBytes));
  }

  /** A vector inside this one, its length in so many bytes. */
  vector(lengthBytes: number): Vector {
    const from = this.#advance(this.uint(lengthBytes));
    return new Vector(this.#bytes, from, this.#at);
  }

  /** What is left, a character a byte: short, for it is built one by one. */
  latin1(): string {
    let text = "";
    for (let at = this.#advance(this.left); at < this.#end; at++) {
      text += String.fromCharCode(this.#bytes[at]);
    }
    return text;
  }

  #advance(bytes: number): number {
    const from = this.#at;
    if (bytes > this.left) {
      this.failed = true;
      this.#at = this.#end;
      return this.#end;
    }
    this.#at += bytes;
    return from;
  }
}
