/** A joint to nowhere: what is committed is remembered, and its owner plays the peer. */
import type { Joint, Room, Stream, Taker } from "../../gate/streams.ts";
import type { GateError } from "../../gate/errors.ts";

const places = new Uint8Array(1 << 19);

export class LooseJoint implements Joint {
  taker: Taker | undefined;
  /** What was committed and not looked at. */
  sent: Uint8Array[] = [];
  delivery = 0;
  ended = false;
  aborted: GateError | undefined;
  /** Bytes that still fit; the owner tells room. */
  capacity = Infinity;
  #room: Room = { bytes: places, pieces: 1, at: new Int32Array(1), size: new Int32Array(1) };

  join(to: Taker): void {
    this.taker = to;
  }

  reserve(most: number, least = 1): Room | undefined {
    this.#room.at[0] = 0;
    this.#room.size[0] = Math.min(most, this.capacity);
    return this.#room.size[0] < least ? undefined : this.#room;
  }

  commit(bytes: number): void {
    if (this.ended) throw new Error("committed behind the end");
    this.capacity -= bytes;
    this.sent.push(this.#room.bytes.slice(0, bytes));
  }

  delivered(bytes: number): void {
    this.delivery += bytes;
  }

  leave(): Stream {
    throw new Error("nobody leaves a loose joint");
  }

  end(): void {
    this.ended = true;
  }

  abort(reason: GateError): void {
    this.aborted ??= reason;
  }

  /** The peer sends. */
  give(bytes: Uint8Array): void {
    this.taker!.take(bytes, 0, bytes.length);
    this.taker!.flush();
  }

  /** Everything that was committed, once. */
  drain(): Uint8Array {
    return Uint8Array.from(this.sent.splice(0).flatMap((part) => [...part]));
  }
}
