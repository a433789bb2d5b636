/**
 * Where records are opened: one buffer of the thread for all connections, each in its turn behind the others, for a
 * connection inside another one opens while the outer one's bytes are still looked at.
 */
const shared = new Uint8Array(768 * 1024);
let used = 0, holders = 0;

export class Opened {
  bytes = shared;
  /** Where the next bytes go. */
  at = 0;
  #holds = false;

  /** Finds a place for so many bytes; valid until release. */
  claim(most: number): void {
    if (!this.#holds) holders++;
    this.#holds = true;
    const fits = used + most <= shared.length;
    this.bytes = fits ? shared.subarray(0, used + most) : new Uint8Array(most);
    this.at = fits ? used : 0;
  }

  /** So many of them are in use. */
  keep(size: number): void {
    if (this.bytes.buffer === shared.buffer) used = this.at + size;
  }

  /** Nobody looks at them any more. The second time it does nothing. */
  release(): void {
    if (!this.#holds) return;
    this.#holds = false;
    if (--holders === 0) used = 0;
  }
}
