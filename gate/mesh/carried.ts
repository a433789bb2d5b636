/** A stream through a connection, of which its registration knows: counted, and cut where the right to it is lost. */
import { GateError } from "../errors.ts";
import { type Core, Layered } from "../engine/layered.ts";
import type { Joint, Room, Stream, Taker } from "../streams.ts";

/** What goes through one registration. */
export interface Way {
  /** Those that are not over. */
  readonly open: Set<Carried>;
  /** How many there were. */
  served: number;
  /** Bytes from who offers it, and to it. */
  up: number;
  down: number;
}

export const newWay = (): Way => ({ open: new Set(), served: 0, up: 0, down: 0 });

export class Carried implements Core {
  readonly #lower: Joint;
  readonly #way: Way;
  #upper!: Taker;
  #endedIn = false;
  #endedOut = false;

  private constructor(lower: Joint, way: Way) {
    this.#lower = lower;
    this.#way = way;
    way.open.add(this);
    way.served++;
  }

  /** MOVES `lower`: it goes through `way` until it is over. */
  static by(lower: Stream, way: Way): Stream {
    if (!lower.joint) throw new GateError("internal", "gate", "Cannot carry a stream: it has no joint");
    return new Layered(new Carried(lower.joint(), way), "upstream");
  }

  /** Both sides see a reset. */
  cut(reason: GateError): void {
    this.abort(reason);
    this.#upper.broke(reason);
  }

  attach(to: Taker): void {
    this.#upper = to;
    this.#lower.join(this.#incoming);
  }

  reserve(most: number, least?: number): Room | undefined {
    return this.#lower.reserve(most, least);
  }

  commit(bytes: number): void {
    this.#way.down += bytes;
    this.#lower.commit(bytes);
  }

  delivered(bytes: number): void {
    this.#lower.delivered(bytes);
  }

  end(): void {
    this.#endedOut = true;
    this.#lower.end();
    this.#leaveWhenOver();
  }

  abort(reason: GateError): void {
    this.#way.open.delete(this);
    this.#lower.abort(reason);
  }

  readonly #incoming: Taker = {
    take: (bytes, at, size) => {
      this.#way.up += size;
      this.#upper.take(bytes, at, size);
    },
    flush: () => this.#upper.flush(),
    room: () => this.#upper.room(),
    end: () => {
      this.#endedIn = true;
      this.#leaveWhenOver();
      this.#upper.end();
    },
    broke: (reason) => {
      this.#way.open.delete(this);
      this.#upper.broke(reason);
    },
  };

  #leaveWhenOver(): void {
    if (this.#endedIn && this.#endedOut) this.#way.open.delete(this);
  }
}
