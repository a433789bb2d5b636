/** Text to a channel, as fast as the peer takes it: what waits is one text, and none is cut in the middle. */
import type { Joint } from "../../../gate/streams.ts";
import { fill } from "../../../gate/engine/layered.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

export class Outlet {
  readonly #joint: Joint;
  #rest: Uint8Array = NOTHING;

  constructor(joint: Joint) {
    this.#joint = joint;
  }

  /** All of the last text is out: there may be another one. */
  get isFree(): boolean {
    return this.#rest.length === 0;
  }

  /** In place of nothing: who writes asks isFree before. */
  write(text: string): void {
    this.#rest = encoder.encode(text);
    this.push();
  }

  /** As much of it as there is room for now. */
  push(): void {
    while (this.#rest.length > 0) {
      const room = this.#joint.reserve(this.#rest.length);
      if (!room) return;
      const filled = fill(room, this.#rest, 0, this.#rest.length);
      this.#joint.commit(filled);
      this.#rest = this.#rest.subarray(filled);
    }
    this.#rest = NOTHING;
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.#rest = NOTHING;
  }
}
