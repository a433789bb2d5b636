/**
 * A relay where at least one stream is layered. Bytes of a raw socket are received straight into the places where the
 * layer seals them; opened bytes are sent from where they were opened, and copied only when the kernel refuses them.
 */
import type { Joint, Stream } from "../streams.ts";
import { asGateError, GateError } from "../errors.ts";
import type { Expiring } from "./deadlines.ts";
import { LayeredSide } from "./layered_side.ts";
import { deadlines, now } from "./loop.ts";
import { RawSide } from "./raw_side.ts";
import {
  endedAlone,
  idleTooLong,
  type Inspect,
  type Relay,
  type RelayOwner,
  type RelayPatience,
} from "./relay.ts";
import { Socket } from "./socket.ts";

/** One end of the relay: where bytes come from, and where the other end's bytes go. */
export interface Side {
  /** Bytes that came from this side. */
  received: number;
  /** FIN came from this side; it was passed on to it. */
  ended: boolean;
  finished: boolean;
  start(other: Side): void;
  /** Takes bytes for its peer; what cannot leave at once is kept. */
  put(bytes: Uint8Array, at: number, size: number): void;
  /** There is room at the other side again. */
  resume(): void;
  /** FIN behind what was put. */
  finish(): void;
  /** So many bytes of this side have left at the other. */
  delivered(bytes: number): void;
  close(failure: GateError | undefined): void;
  /** Where the other side may place its bytes itself; a raw socket has none. */
  readonly joint: Joint | undefined;
}

export class JointRelay implements Relay, Expiring {
  readonly #client: Side;
  readonly #upstream: Side;
  readonly #owner: RelayOwner;
  readonly #patience: RelayPatience;
  readonly #slot: number;
  #active = now;
  #halfOpen = false;
  over = false;

  constructor(
    client: Stream,
    upstream: Stream,
    patience: RelayPatience,
    owner: RelayOwner,
    inspect?: Inspect,
  ) {
    this.#owner = owner;
    this.#patience = patience;
    this.#client = this.#side(client, inspect);
    this.#slot = deadlines.claim(this);
    deadlines.set(this.#slot, now + patience.open);
    try {
      this.#upstream = this.#side(upstream);
    } catch (thrown) { // it broke before it could be moved
      deadlines.release(this.#slot);
      this.over = true;
      this.#client.close(asGateError(thrown));
      throw thrown;
    }
  }

  start(): void {
    this.#client.start(this.#upstream);
    if (!this.over) this.#upstream.start(this.#client);
  }

  get up(): number {
    return this.#client.received;
  }

  get down(): number {
    return this.#upstream.received;
  }

  abort(reason: GateError): void {
    this.end(reason);
  }

  expired(): void {
    const { open, halfOpen } = this.#patience, since = now - this.#active;
    if (since >= open) return this.end(idleTooLong());
    if (this.#halfOpen && since >= halfOpen) {
      return this.end(endedAlone(this.#client.ended ? "client" : "upstream"));
    }
    deadlines.set(this.#slot, this.#active + (this.#halfOpen ? Math.min(open, halfOpen) : open));
  }

  /** Something moved, or ended. */
  progress(): void {
    this.#active = now;
    const over = this.#client.ended && this.#upstream.ended && this.#client.finished &&
      this.#upstream.finished;
    if (over) return this.end(undefined);
    if (this.#halfOpen || (!this.#client.ended && !this.#upstream.ended)) return;
    this.#halfOpen = true;
    deadlines.set(this.#slot, now + Math.min(this.#patience.open, this.#patience.halfOpen));
  }

  end(failure: GateError | undefined): void {
    if (this.over) return;
    this.over = true;
    deadlines.release(this.#slot);
    this.#client.close(failure);
    this.#upstream.close(failure);
    this.#owner.relayed(this.up, this.down, failure);
  }

  #side(stream: Stream, inspect?: Inspect): Side {
    if (stream instanceof Socket) return new RawSide(this, stream, inspect);
    if (stream.joint) return new LayeredSide(this, stream.joint(), inspect);
    throw new GateError("internal", "gate", "Cannot relay a stream: it has neither a socket nor a joint");
  }
}
