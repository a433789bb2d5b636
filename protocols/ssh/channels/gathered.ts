/**
 * Messages of data that came together for one channel, as one piece: whoever takes them then sends once, and wakes once who
 * reads. They are moved together in the buffer that they came in: what lies between them was read already.
 */
import type { Channel } from "./channel.ts";

export class Gathered {
  #channel: Channel | undefined;
  #bytes!: Uint8Array;
  #at = 0;
  #end = 0;

  /** Behind what came for the same channel right before, in the same buffer; anything else is passed on first. */
  add(channel: Channel, bytes: Uint8Array, at: number, size: number): void {
    if (this.#channel === channel && this.#bytes === bytes && this.#end <= at) {
      bytes.copyWithin(this.#end, at, at + size);
      this.#end += size;
      return;
    }
    this.pass();
    this.#channel = channel;
    this.#bytes = bytes;
    this.#at = at;
    this.#end = at + size;
  }

  /** To its channel, before anything else happens to that. */
  pass(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    channel?.take(this.#bytes, this.#at, this.#end - this.#at);
  }
}
