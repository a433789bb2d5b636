/**
 * Where records are opened: one buffer of the thread for all connections, each in its turn behind the others, for a
 * connection inside another one opens while the outer one's bytes are still looked at.
 */
import { type Connection, OUTPUT_FULL, RECORD } from "../../gate/engine/openssl.ts";
import type { Output } from "./output.ts";

const shared = new Uint8Array(768 * 1024);
let used = 0, holders = 0;

export class Opened {
  /** What was opened last lies here, valid until release. */
  bytes = shared;
  at = 0;
  size = 0;
  /** Nothing is left of a record that came in part. */
  whole = false;
  #end = 0;
  #holds = false;

  /**
   * Opens what there is, of which so many bytes came now: WANTS_INPUT, ENDED or BROKEN. `alone`: that is one record, and
   * nothing was left of another.
   */
  read(connection: Connection, output: Output, came: number, alone: boolean): number {
    this.#claim(came + 2 * RECORD); // and what was read before of a record
    this.size = 0;
    for (;;) {
      const state = connection.read(this.bytes, this.at + this.size, this.#end);
      if (state > 0) this.size += state;
      if (state === OUTPUT_FULL) output.send();
      if (state === OUTPUT_FULL || state > 0 && !alone && connection.hasMore) continue;
      this.whole = state > 0;
      if (this.bytes === shared) used = this.at + this.size;
      return Math.min(state, 0);
    }
  }

  /** Nobody looks at them any more. The second time it does nothing. */
  release(): void {
    if (!this.#holds) return;
    this.#holds = false;
    if (--holders === 0) used = 0;
  }

  #claim(most: number): void {
    if (!this.#holds) holders++;
    this.#holds = true;
    const fits = used + most <= shared.length;
    this.bytes = fits ? shared : new Uint8Array(most);
    this.at = fits ? used : 0;
    this.#end = this.at + most;
  }
}
