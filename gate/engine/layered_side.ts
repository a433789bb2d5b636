/** The layered end of a joint relay: what its peer sends is handed to the other side where it was opened. */
import type { Joint, Taker } from "../streams.ts";
import { asGateError, type GateError } from "../errors.ts";
import type { JointRelay, Side } from "./joint_relay.ts";
import { Outlet } from "./outlet.ts";
import type { Inspect } from "./relay.ts";

export class LayeredSide implements Side, Taker {
  received = 0;
  ended = false;
  finished = false;
  readonly joint: Joint;
  readonly #relay: JointRelay;
  readonly #outlet: Outlet;
  readonly #inspect: Inspect | undefined;
  #other!: Side;
  #finish = false;

  constructor(relay: JointRelay, joint: Joint, inspect?: Inspect) {
    this.#relay = relay;
    this.joint = joint;
    this.#inspect = inspect;
    this.#outlet = new Outlet(joint, (bytes) => this.#other.delivered(bytes));
  }

  start(other: Side): void {
    this.#other = other;
    this.joint.join(this);
  }

  // The taker: what this side's peer sends.

  take(bytes: Uint8Array, at: number, size: number): void {
    if (this.#relay.over) return;
    try {
      this.#inspect?.(bytes, at, size);
    } catch (thrown) {
      return this.#relay.end(asGateError(thrown)); // of this stream alone, not of the layer that hands it over
    }
    this.received += size;
    this.#other.put(bytes, at, size);
  }

  flush(): void {
    if (!this.#relay.over) this.#relay.progress();
  }

  room(): void {
    if (this.#relay.over) return;
    if (this.#outlet.kept > 0) {
      this.#outlet.drain();
      this.#relay.progress();
    }
    this.#finishWhenSent();
    if (this.#outlet.kept === 0) this.#other.resume();
  }

  end(): void {
    if (this.#relay.over) return;
    this.ended = true;
    this.#other.finish();
    this.#relay.progress();
  }

  broke(reason: GateError): void {
    this.#relay.end(reason);
  }

  // The side: what the other side's peer sent.

  put(bytes: Uint8Array, at: number, size: number): void {
    this.#outlet.put(bytes, at, size);
  }

  resume(): void {} // what the joint has comes by itself, within its window

  finish(): void {
    this.#finish = true;
    this.#finishWhenSent();
  }

  delivered(bytes: number): void {
    this.joint.delivered(bytes);
  }

  close(failure: GateError | undefined): void {
    if (failure) this.joint.abort(failure);
  }

  #finishWhenSent(): void {
    if (!this.#finish || this.finished || this.#outlet.kept > 0) return;
    this.finished = true;
    this.joint.end();
    this.#relay.progress();
  }
}
