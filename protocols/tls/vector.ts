/**
 * The vectors of TLS (RFC 8446 3.4): a length, then so many bytes. Reading beyond the end fails once and for all and
 * yields zeros and empty vectors, so a parser asks at its end whether anything failed.
 */
export class Vector {
  failed = false;
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
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

  /** A vector inside this one, its length in so many bytes. */
  vector(lengthBytes: number): Vector {
    const from = this.#advance(this.uint(lengthBytes));
    return new Vector(this.#bytes.subarray(from, this.#at));
  }

  /** What is left, a character a byte. */
  latin1(): string {
    const from = this.#advance(this.left);
    return String.fromCharCode(...this.#bytes.subarray(from, this.#at));
  }

  #advance(bytes: number): number {
    const from = this.#at;
    if (bytes > this.left) {
      this.failed = true;
      this.#at = this.#bytes.length;
      return this.#at;
    }
    this.#at += bytes;
    return from;
  }
}
