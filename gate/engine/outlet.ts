/** Bytes on their way into a joint: placed while it has room, kept in order while it has none. */
import type { Joint } from "../streams.ts";
import { ByteQueue } from "./byte_queue.ts";
import { fill } from "./layered.ts";

export class Outlet {
  readonly #joint: Joint;
  readonly #placed: (bytes: number) => void;
  #kept = new ByteQueue();

  /** `placed` hears how many bytes went in: only those are delivered, so the source's window bounds what is kept. */
  constructor(joint: Joint, placed: (bytes: number) => void) {
    this.#joint = joint;
    this.#placed = placed;
  }

  /** Bytes that wait for room. */
  get kept(): number {
    return this.#kept.size;
  }

  put(bytes: Uint8Array, at: number, size: number): void {
    const placed = this.#kept.size > 0 ? 0 : this.#place(bytes, at, size);
    this.#kept.push(bytes, at + placed, size - placed);
    if (placed > 0) this.#placed(placed);
  }

  /** The joint has room again. */
  drain(): void {
    while (this.#kept.size > 0) {
      const first = this.#kept.first(), placed = this.#place(first, 0, first.length);
      if (placed === 0) return;
      this.#kept.drop(placed);
      this.#placed(placed);
    }
  }

  #place(bytes: Uint8Array, at: number, size: number): number {
    let placed = 0;
    while (placed < size) {
      const room = this.#joint.reserve(size - placed);
      if (!room) break;
      const filled = fill(room, bytes, at + placed, size - placed);
      this.#joint.commit(filled);
      placed += filled;
    }
    return placed;
  }
}
