/** Bytes that wait: copies in, or lent for a moment, views out, in order. Whoever fills it bounds it. */
const NOTHING = new Uint8Array(0);

export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** The first bytes are somebody else's. */
  #lent = false;

  get size(): number {
    return this.#size;
  }

  /** Copies `size` bytes from `at`. */
  push(bytes: Uint8Array, at: number, size: number): void {
    if (size === 0) return;
    this.own();
    this.#chunks.push(bytes.slice(at, at + size));
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
  }
}
