/** A joint that is cut when so many bytes have crossed it, in both directions together: at any stage of what lies upon it. */
import { after, again } from "../../gate/engine/loop.ts";
import { GateError } from "../../gate/errors.ts";
import type { Joint, Room, Stream, Taker } from "../../gate/streams.ts";

/** ms between an end and the socket's close. */
const LINGER = 50;

export class CutJoint implements Joint {
  #left: number;
  #isCut = false;
  #to!: Taker;

  constructor(readonly lower: Joint, bytes: number, readonly by: "reset" | "end") {
    this.#left = bytes;
  }

  join(to: Taker): void {
    this.#to = to;
    this.lower.join({
      take: (bytes, at, size) => {
        to.take(bytes, at, size);
        this.#count(size);
      },
      flush: () => to.flush(),
      room: () => to.room(),
      end: () => to.end(),
      broke: (reason) => to.broke(reason),
    });
  }

  reserve(most: number, least?: number): Room | undefined {
    return this.lower.reserve(most, least);
  }

  commit(bytes: number): void {
    this.lower.commit(bytes);
    this.#count(bytes);
  }

  delivered(bytes: number): void {
    this.lower.delivered(bytes);
  }

  leave(): Stream {
    return this.lower.leave();
  }

  end(): void {
    this.lower.end();
  }

  abort(reason: GateError): void {
    this.lower.abort(reason);
  }

  #count(bytes: number): void {
    this.#left -= bytes;
    if (this.#left > 0 || this.#isCut) return;
    this.#isCut = true;
    again(() => this.#cut());
  }

  #cut(): void {
    const reason = new GateError("closed", "gate", "Cannot go on: cut");
    if (this.by === "reset") this.lower.abort(reason);
    else {
      this.lower.end();
      after(LINGER, () => this.lower.abort(reason));
    }
    this.#to.broke(reason);
  }
}
