/**
 * Upstream connections between two messages, by the kind they are of (where they go, and how). How many are in use the
 * clients bound, each of which has one; so only idle ones are bounded here, and nobody waits for another's.
 */
import type { Target } from "../address.ts";
import type { Joint, Stream, Taker } from "../streams.ts";
import { GateError } from "../errors.ts";
import type { Expiring } from "./deadlines.ts";
import type { Mover } from "./descriptor.ts";
import { Layered } from "./layered.ts";
import { deadlines, now } from "./loop.ts";
import { Socket } from "./socket.ts";

/** Idle ones of a kind, and of all kinds, that one thread keeps. */
const MOST_IDLE_OF_KIND = 1024, MOST_IDLE = 4096;
/** How long one is kept idle, and how long it may live: names move. ms */
const IDLE_TIME = 60_000, LONGEST_LIFE = 600_000;
/** Kinds of which none is idle, beyond one for each that is. */
const MOST_EMPTY = 64;

/** One upstream connection that may serve several messages. Idle, it ends as soon as anything happens to it. */
export class PooledUpstream implements Mover, Expiring, Taker {
  readonly #born = now;
  readonly #slot = deadlines.claim(this);
  #joint: Joint | undefined;
  #over = false;
  /** Where it is idle. */
  pool: UpstreamPool | undefined;
  /** It carried messages before this one. */
  reused = false;

  constructor(
    readonly kind: string,
    public stream: Stream,
    /** What was dialed, and what the journal calls it. */
    readonly dialed: Target | undefined,
    readonly endpoint: string,
    /** It told the upstream who its client is, or its client named it: it serves no other. */
    readonly personal: boolean,
  ) {}

  /** Idle from now on; false: it is of no use to anybody, and closed. */
  rest(): boolean {
    const fit = now - this.#born < LONGEST_LIFE && this.#isQuiet();
    if (!fit) this.close();
    else {
      this.#watch();
      deadlines.set(this.#slot, now + IDLE_TIME);
    }
    return fit;
  }

  /**
   * In use from now on; false: it ended meanwhile, or has spoken. Asked of the kernel each time: what came since the loop
   * was told of events would be taken for the answer to the next request.
   */
  wake(): boolean {
    if (this.#over) return false;
    const { stream } = this;
    this.pool = undefined;
    this.reused = true;
    deadlines.set(this.#slot, 0);
    if (stream instanceof Socket) stream.mover = undefined;
    else this.stream = this.#joint!.leave();
    this.#joint = undefined;
    if (!(stream instanceof Socket || stream instanceof Layered) || !stream.hasSpoken) return true;
    this.close();
    return false;
  }

  /** It is no upstream of messages any more; the stream is its owner's. */
  leavePool(): void {
    if (this.#over) return;
    this.#over = true;
    deadlines.release(this.#slot);
  }

  close(): void {
    if (this.#over) return;
    this.pool?.forget(this);
    this.leavePool();
    const { stream } = this;
    if (stream instanceof Socket) stream.mover = undefined;
    (this.#joint?.leave() ?? stream)[Symbol.dispose]();
  }

  /** Of an idle socket: whatever it has to tell, it is not asked for. */
  moved(): void {
    const { stream } = this;
    if (stream instanceof Socket && (stream.readable || stream.hungUp)) this.close();
  }

  gone(): void {
    this.close();
  }

  expired(): void {
    this.close();
  }

  take(): void {
    this.#joint!.abort(new GateError("malformed", "upstream", "Cannot keep an upstream: it spoke unasked"));
    this.close();
  }

  flush(): void {}
  room(): void {}

  end(): void {
    this.close();
  }

  broke(): void {
    this.close();
  }

  /** Nothing came that nobody asked for. */
  #isQuiet(): boolean {
    const { stream } = this;
    if (stream instanceof Layered) return stream.isQuiet; // a joint would tell of it in the next turn
    if (!(stream instanceof Socket)) return stream.joint !== undefined;
    if (stream.fd < 0 || stream.hungUp || stream.held.length > 0 || stream.mover) return false;
    return !stream.readable || !stream.hasSpoken;
  }

  #watch(): void {
    const { stream } = this;
    if (stream instanceof Socket) stream.mover = this;
    else {
      this.#joint = stream.joint!();
      this.#joint.join(this);
    }
  }
}

export class UpstreamPool {
  readonly #idle = new Map<string, PooledUpstream[]>();
  #size = 0;

  /** How many are idle. */
  get size(): number {
    return this.#size;
  }

  /** Kinds that are known, also where none of them is idle: mostly one is soon again. */
  get kinds(): number {
    return this.#idle.size;
  }

  /** The one of this kind that was used last: the others may end. undefined: there is none. */
  take(kind: string): PooledUpstream | undefined {
    const idle = this.#idle.get(kind);
    for (let one; (one = idle?.pop());) {
      this.#size--;
      if (one.wake()) return one;
    }
    return undefined;
  }

  /** Keeps it, or closes it: where there is no room, or it is not fit for another message. */
  keep(one: PooledUpstream): void {
    let idle = this.#idle.get(one.kind);
    if (this.#size >= MOST_IDLE || (idle?.length ?? 0) >= MOST_IDLE_OF_KIND) return one.close();
    if (!one.rest()) return;
    if (!idle) {
      if (this.#idle.size >= this.#size + MOST_EMPTY) this.#forgetEmpty();
      this.#idle.set(one.kind, idle = []);
    }
    one.pool = this;
    idle.push(one);
    this.#size++;
  }

  /** It ends by itself. */
  forget(one: PooledUpstream): void {
    const idle = this.#idle.get(one.kind), at = idle?.indexOf(one) ?? -1;
    if (at < 0) return;
    idle!.splice(at, 1);
    this.#size--;
    if (idle!.length === 0) this.#idle.delete(one.kind);
  }

  #forgetEmpty(): void {
    for (const [kind, idle] of this.#idle) if (idle.length === 0) this.#idle.delete(kind);
  }

  /** Nobody needs them any more. */
  close(): void {
    for (const idle of [...this.#idle.values()]) for (const one of [...idle]) one.close();
  }
}
