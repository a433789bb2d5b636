/**
 * Bytes that wait: copies in, or lent for a moment, views out, in order. Whoever fills it bounds it: little that comes
 * often shares a block, for a buffer of its own takes more than a few bytes.
 */
const NOTHING = new Uint8Array(0);
const LITTLE = 1024, BLOCK = 4096;

export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** The first bytes are somebody else's. */
  #lent = false;
  /** Right behind the last chunk. */
  #spare = NOTHING;

  get size(): number {
    return this.#size;
  }

  /** Copies `size` bytes from `at`. */
  push(bytes: Uint8Array, at: number, size: number): void {
    if (size === 0) return;
    this.own();
    if (size <= LITTLE && this.#chunks.length > 0) this.#append(bytes.subarray(at, at + size));
    else {
      this.#chunks.push(bytes.slice(at, at + size));
      this.#spare = NOTHING;
    }
    this.#size += size;
  }

  /** Into an empty queue: `size` bytes from `at` where they are, until own() or the next push. */
  lend(bytes: Uint8Array, at: number, size: number): void {
    if (size === 0) return;
    this.#chunks.push(bytes.subarray(at, at + size));
    this.#size = size;
    this.#lent = true;
  }

  /** What was lent is given back: what is left of it is copied. */
  own(): void {
    if (!this.#lent) return;
    this.#lent = false;
    if (this.#size > 0) this.#chunks[0] = this.#chunks[0].slice();
  }

  /** What is first, a view; empty when there is nothing. */
  first(): Uint8Array {
    return this.#chunks.length > 0 ? this.#chunks[0] : NOTHING;
  }

  /** Everything in one piece; it stays queued. */
  all(): Uint8Array {
    if (this.#chunks.length > 1) {
      const joined = new Uint8Array(this.#size);
      let at = 0;
      for (const chunk of this.#chunks) {
        joined.set(chunk, at);
        at += chunk.length;
      }
      this.#chunks = [joined];
      this.#spare = NOTHING;
    }
    return this.first();
  }

  /** Drops the first `size` bytes. */
  drop(size: number): void {
    this.#size -= size;
    while (size > 0) {
      const first = this.#chunks[0];
      if (size < first.length) {
        this.#chunks[0] = first.subarray(size);
        return;
      }
      size -= first.length;
      this.#chunks.shift();
    }
    if (this.#chunks.length === 0) this.#spare = NOTHING;
  }

  #append(bytes: Uint8Array): void {
    if (this.#spare.length < bytes.length) {
      this.#spare = new Uint8Array(BLOCK);
      this.#chunks.push(this.#spare.subarray(0, 0));
    }
    const last = this.#chunks.at(-1)!;
    this.#spare.set(bytes);
    this.#spare = this.#spare.subarray(bytes.length);
    this.#chunks[this.#chunks.length - 1] = new Uint8Array(
      last.buffer,
      last.byteOffset,
      last.length + bytes.length,
    );
  }
}
