/**
 * Copies of requests on their way to a mirror. Nobody waits for them: what the mirror does not take in time is dropped,
 * and so is all beyond a bound. They are what the upstream gets, octet by octet.
 */
import type { Target } from "../../gate/address.ts";
import type { Gate } from "../../gate/contracts.ts";
import { after, promiseResolved } from "../../gate/engine/loop.ts";
import { asGateError, GateError } from "../../gate/errors.ts";
import { discardResponse } from "./discard.ts";
import type { Exchange } from "./exchange.ts";

/** Octets of one request's content; and of all that is kept of it. */
const MOST_CONTENT = 1024 * 1024, MOST_OF_ONE = MOST_CONTENT + 256 * 1024;
/** Octets of all that are copied, wait or are on their way, for one route on one thread; and what each piece takes. */
const MOST = 8 * 1024 * 1024, OVERHEAD = 256;
/** Connections at a time. */
const MOST_AT_ONCE = 32;
/** For one copy, from its dial to the end of the answer, ms. */
const TIME = 10_000;

/** A request that goes on, piece by piece. */
export class MirrorCopy {
  readonly pieces: Uint8Array[] = [];
  size = 0;
  /** It goes nowhere. */
  dropped = false;

  constructor(readonly mirror: Mirror, readonly gate: Gate, readonly asked: number) {}

  /** More of it went to the upstream; the bytes are copied. */
  add(bytes: Uint8Array): void {
    if (this.dropped) return;
    if (!this.mirror.takes(this, bytes.length + OVERHEAD)) return this.drop();
    this.pieces.push(bytes.slice());
  }

  /** All of it did. */
  end(): void {
    if (!this.dropped) this.mirror.send(this);
  }

  /** It did not, or is too large, or the mirror is too slow. */
  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    this.pieces.length = 0;
    this.mirror.lost(this);
  }
}

export class Mirror {
  readonly #target: Target;
  #held = 0;
  #busy = 0;
  #waiting: MirrorCopy[] = [];

  constructor(target: Target) {
    this.#target = target;
  }

  /** The copy of a request, of which `bytes` go to the upstream now. */
  begin(bytes: Uint8Array, { asked, up }: Exchange, gate: Gate): MirrorCopy {
    const copy = new MirrorCopy(this, gate, asked);
    if (up.moved + up.left > MOST_CONTENT) copy.drop();
    else copy.add(bytes);
    return copy;
  }

  /** Whether there is room for so many octets more of it, which are counted then. */
  takes(copy: MirrorCopy, octets: number): boolean {
    if (copy.size + octets > MOST_OF_ONE || this.#held + octets > MOST) return false;
    copy.size += octets;
    this.#held += octets;
    return true;
  }

  send(copy: MirrorCopy): void {
    promiseResolved(); // an idle connection is there at once
    if (this.#busy >= MOST_AT_ONCE) this.#waiting.push(copy);
    else void this.#sendAll(copy);
  }

  lost(copy: MirrorCopy): void {
    this.#held -= copy.size;
    copy.gate.hit("mirror");
  }

  /** This one, and then those that wait. Never rejects. */
  async #sendAll(first: MirrorCopy): Promise<void> {
    this.#busy++;
    for (let copy: MirrorCopy | undefined = first; copy; copy = this.#waiting.shift()) {
      try {
        await this.#send(copy);
        this.#held -= copy.size;
      } catch {
        copy.drop();
      }
    }
    this.#busy--;
  }

  async #send({ pieces, gate, asked }: MirrorCopy): Promise<void> {
    const stream = await gate.reach(this.#target, TIME);
    const stop = after(TIME, () => stream.abort(tooSlow()));
    try {
      for (const piece of pieces) await stream.write(piece);
      const persists = await discardResponse(stream, asked);
      gate.rest(
        stream,
        persists ? undefined : new GateError("closed", "gate", "Cannot go on: it has answered"),
      );
    } catch (thrown) {
      gate.rest(stream, asGateError(thrown));
      throw thrown;
    } finally {
      stop();
    }
  }
}

const tooSlow = () => new GateError("timeout", "upstream", "Cannot mirror a request: the mirror is too slow");
