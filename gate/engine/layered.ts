/**
 * The promise forms over a stream that a layer unwrapped. A layer implements the synchronous `Core` once for each of
 * its streams; looking, reading and writing are the same for all of them and live here.
 */
import type { Joint, Phase, Room, Stream, Taker } from "../streams.ts";
import { GateError, type Side } from "../errors.ts";
import { Inbox } from "./inbox.ts";
import { JointLinger } from "./joint_linger.ts";
import { needed } from "./look.ts";

/**
 * What a layer implements for each of its streams, as `Joint` has it. A window is larger than LOOK_MAX and the headers
 * in between, for a look delivers nothing.
 */
export interface Core {
  readonly hasSpoken?: boolean;
  /** What comes goes to `to`. Called once, before anything came. Whom `to` is told that it broke is closed below. */
  attach(to: Taker): void;
  /** Under headers of its own a layer asks below for so much more, `least` too. */
  reserve(most: number, least?: number): Room | undefined;
  commit(bytes: number): void;
  delivered(bytes: number): void;
  /** The second time it does nothing. */
  end(): void;
  abort(reason: GateError): void;
}

const closed = () => new GateError("closed", "gate", "Cannot use a stream: it is closed");

export class Layered implements Stream {
  readonly #core: Core;
  readonly #inbox: Inbox;
  #late = false;
  /** Bytes that who polls asked for. */
  #need = 1;
  #given = false;
  #finished = false;
  /** Why we let go of it. */
  #closed: GateError | undefined;

  constructor(core: Core, readonly side: Side) {
    this.#core = core;
    this.#inbox = new Inbox((reason) => core.abort(reason));
    core.attach(this.#inbox);
  }

  set onGone(told: ((reason: GateError) => void) | undefined) {
    this.#inbox.onGone = told;
  }

  /** Nothing waits to be read: no bytes, no end, no reset. */
  get isQuiet(): boolean {
    const { queue, ended, reason } = this.#inbox;
    return queue.size === 0 && !ended && !reason && !this.#closed;
  }

  /** Something waits to be read, or would if the layer looked below now. */
  get hasSpoken(): boolean {
    return !this.isQuiet || (this.#core.hasSpoken ?? false);
  }

  /** The time for first bytes is over: looks go on with the phase "late". */
  late(): void {
    this.#late = true;
    this.#inbox.wakeReader();
  }

  look<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
  ): T | Promise<T> {
    const shown = this.next((bytes, phase) => {
      const answer = parse(bytes, phase);
      return typeof answer === "number" ? answer : { used: 0, answer };
    });
    return shown instanceof Promise ? shown.then(({ answer }) => answer) : shown.answer;
  }

  next<T extends { used: number }>(use: (bytes: Uint8Array, phase: Phase) => T | number): T | Promise<T> {
    const answer = this.#tryNext(use, 1);
    return typeof answer === "number" ? this.#waitNext(use, answer) : answer;
  }

  poll<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    wake: () => void,
  ): T | undefined {
    const answer = this.#tryNext(use, this.#need);
    if (typeof answer === "number") {
      this.#need = answer;
      this.#inbox.whenReadable(wake);
      return undefined;
    }
    this.#need = 1;
    return answer;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const { queue } = this.#inbox;
    if (this.#closed) throw this.#closed;
    while (queue.size === 0 && !this.#inbox.ended) {
      this.#check();
      await this.#inbox.untilReadable();
    }
    const first = queue.first();
    if (first.length === 0) return null;
    const size = Math.min(first.length, into.length);
    into.set(first.subarray(0, size));
    this.#use(size);
    return size;
  }

  write(bytes: Uint8Array, size = bytes.length): void | Promise<void> {
    if (this.#finished) throw new GateError("closed", "gate", "Cannot write: the stream was ended");
    const sent = this.#put(bytes, size);
    if (sent < size) return this.#putRest(bytes.slice(sent, size));
  }

  // deno-lint-ignore require-await -- the contract's promise carries the error
  async closeWrite(): Promise<void> {
    this.#check();
    this.#finished = true;
    this.#core.end();
  }

  abort(reason: GateError): void {
    if (this.#closed || this.#inbox.reason) return;
    this.#closed = reason;
    this.#core.abort(reason);
    this.#inbox.broke(reason);
  }

  joint(): Joint {
    this.#check();
    this.#given = true;
    return new LayeredJoint(this.#core, this.#inbox, () => {
      this.#given = false;
      return this;
    });
  }

  /** What was written goes out before the end; what still comes is thrown away for a moment. */
  [Symbol.dispose](): void {
    if (this.#given || this.#closed || this.#inbox.reason) return;
    const joint = this.joint();
    this.#closed = closed();
    this.#inbox.wakeReader();
    this.#inbox.wakeWriter();
    new JointLinger(joint);
  }

  #tryNext<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): T | number {
    const { queue } = this.#inbox;
    if (this.#closed) throw this.#closed;
    const phase: Phase = this.#inbox.ended ? "ended" : this.#late ? "late" : "open";
    let wanted = need;
    if (queue.size >= need || phase !== "open") {
      const answer = use(queue.all(), phase);
      if (typeof answer !== "number") {
        this.#use(answer.used);
        return answer;
      }
      wanted = needed(answer, queue.size, phase, this.side);
    }
    this.#check();
    return wanted;
  }

  async #waitNext<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): Promise<T> {
    for (;;) {
      await this.#inbox.untilReadable();
      const answer = this.#tryNext(use, need);
      if (typeof answer !== "number") return answer;
      need = answer;
    }
  }

  #use(size: number): void {
    if (size === 0) return;
    this.#inbox.queue.drop(size);
    this.#core.delivered(size);
  }

  #check(): void {
    const reason = this.#closed ?? this.#inbox.reason;
    if (reason) throw reason;
  }

  /** As many of the first `size` bytes as there is room for now. */
  #put(bytes: Uint8Array, size = bytes.length): number {
    this.#check();
    let sent = 0;
    while (sent < size) {
      const room = this.#core.reserve(size - sent);
      if (!room) break;
      const filled = fill(room, bytes, sent, size - sent);
      this.#core.commit(filled);
      sent += filled;
    }
    return sent;
  }

  async #putRest(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      await this.#inbox.untilRoom();
      rest = rest.subarray(this.#put(rest));
    }
  }
}

/** Copies into reserved places; how much fitted. */
export function fill(room: Room, bytes: Uint8Array, at: number, size: number): number {
  let filled = 0;
  for (let i = 0; i < room.pieces && filled < size; i++) {
    const n = Math.min(room.size[i], size - filled);
    room.bytes.set(bytes.subarray(at + filled, at + filled + n), room.at[i]);
    filled += n;
  }
  return filled;
}

class LayeredJoint implements Joint {
  #core: Core;
  #inbox: Inbox;
  #back: () => Stream;

  constructor(core: Core, inbox: Inbox, back: () => Stream) {
    this.#core = core;
    this.#inbox = inbox;
    this.#back = back;
  }

  get hasSpoken(): boolean {
    return this.#inbox.queue.size > 0 || (this.#core.hasSpoken ?? false);
  }

  join(to: Taker, bytes = Infinity): void {
    this.#inbox.join(to, bytes);
  }

  reserve(most: number, least?: number): Room | undefined {
    return this.#core.reserve(most, least);
  }

  commit(bytes: number): void {
    this.#core.commit(bytes);
  }

  delivered(bytes: number): void {
    this.#core.delivered(bytes);
  }

  leave(): Stream {
    this.#inbox.leave();
    return this.#back();
  }

  end(): void {
    this.#core.end();
  }

  abort(reason: GateError): void {
    this.#inbox.leave();
    this.#inbox.reason ??= reason;
    this.#core.abort(reason);
  }
}
