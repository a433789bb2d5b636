/** What a TLS connection has for its peer: placed in the stream below, kept in order while that has no room. */
import type { Joint, Room } from "../../gate/streams.ts";
import { ByteQueue } from "../../gate/engine/byte_queue.ts";
import { fill } from "../../gate/engine/layered.ts";
import type { Connection } from "../../gate/engine/openssl.ts";

/** From so many bytes on they are not copied to leave in one call with others. */
const POSTED = 32768;

export class Output {
  readonly #lower: Joint;
  readonly #connection: Connection;
  #kept = new ByteQueue();

  constructor(lower: Joint, connection: Connection) {
    this.#lower = lower;
    this.#connection = connection;
  }

  /** Something waits; the stream below tells when it has room. */
  get blocked(): boolean {
    return this.#kept.size > 0;
  }

  /**
   * Takes everything out of the thread's ring before the stream below, which may be TLS too, uses it. Whether there was
   * anything.
   */
  send(): boolean {
    const size = this.#connection.takeOutput();
    if (size === 0) return false;
    const { output } = this.#connection, wasBlocked = this.blocked;
    if (!wasBlocked && size >= POSTED && this.#lower.post?.(output, size)) return true;
    const room = wasBlocked ? undefined : this.#lower.reserve(size);
    const fits = room !== undefined && capacity(room) >= size;
    if (fits) fill(room, output, 0, size);
    else this.#kept.push(output, 0, size);
    if (fits) this.#lower.commit(size);
    else if (!wasBlocked) this.drain();
    return true;
  }

  /** There is room below. */
  drain(): void {
    while (this.#kept.size > 0) {
      const waiting = this.#kept.first(), room = this.#lower.reserve(waiting.length);
      if (!room) return;
      const placed = fill(room, waiting, 0, waiting.length);
      this.#lower.commit(placed);
      this.#kept.drop(placed);
    }
  }
}

/** Bytes that a room has places for. */
export function capacity({ pieces, size }: Room): number {
  let bytes = 0;
  for (let i = 0; i < pieces; i++) bytes += size[i];
  return bytes;
}
