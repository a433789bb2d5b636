/** A raw stream: the promise forms over a kernel socket. */
import type { Joint, Phase, Stream } from "../streams.ts";
import type { GateError } from "../errors.ts";
import { Descriptor } from "./descriptor.ts";
import { behind, NOTHING } from "./held.ts";
import { MSG_PEEK } from "./layout.ts";
import { LOOK_MAX, needed } from "./look.ts";
import { RawJoint } from "./raw_joint.ts";

/** One of each per thread: what is in them is valid until the next await. */
const peeked = new Uint8Array(LOOK_MAX), received = new Uint8Array(LOOK_MAX);
/** Where first bytes are read to: so many are copied, and no more. */
const first = new Uint8Array(4096);
/** Views of what was received, by their sizes: messages of one kind are often as long as the last one. */
const VIEWS = 256, views: Uint8Array[] = [];
/** Whose bytes `peeked` still shows: a second look in the same turn needs no system call. */
let peekOwner: Socket | undefined, peekSize = 0, peekEnded = false;

export class Socket extends Descriptor implements Stream {
  /** Read ahead, not used yet. */
  held: Uint8Array = NOTHING;
  /** Moved to a relay, a joint or another thread: disposing does nothing. */
  given = false;
  #late = false;
  /** Bytes that who polls asked for. */
  #need = 1;
  /** What a joint left unsent, on its way. */
  #leaving: Promise<void> | undefined;

  override onEvent(events: number): void {
    if (peekOwner === this) peekOwner = undefined; // what was seen may not be all any more
    super.onEvent(events);
  }

  get isLate(): boolean {
    return this.#late;
  }

  /** The time for first bytes is over: looks go on with the phase "late". */
  late(): void {
    this.#late = true;
    if (this.mover) this.mover.moved(this, 0);
    else this.wakeReader();
  }

  look<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
  ): T | Promise<T> {
    const answer = this.lookNow(parse, 1);
    return typeof answer === "number" ? this.#waitLook(parse, answer) : answer;
  }

  /**
   * Reads what came first, and holds it: who serves the connection finds it here, where a look would have left it to be
   * asked for again. Of who is gone already it reads nothing: bytes with a reset behind them are shown as ever, and go on.
   */
  readAhead(): void {
    if (!this.readable || this.hungUp || this.held.length > 0) return;
    if (peekOwner === this) peekOwner = undefined;
    const n = this.recv(first);
    if (n > 0) this.held = first.slice(0, n);
  }

  /** Whether closing sends FIN, as far as events have told: over unread bytes it would send a reset. */
  get isDrained(): boolean {
    return this.ended || !this.readable && !this.hungUp && !this.urgent;
  }

  /** One look without waiting: the answer, or how many bytes the next one needs. */
  lookNow<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): T | number {
    this.open();
    if (peekOwner !== this) this.#peek();
    const phase: Phase = peekEnded ? "ended" : this.#late ? "late" : "open";
    let wanted = need;
    if (peekSize >= need || phase !== "open") {
      const answer = parse(peeked.subarray(0, peekSize), phase);
      if (typeof answer !== "number") return answer;
      wanted = needed(answer, peekSize, phase, this.side);
    }
    peekOwner = undefined;
    return wanted;
  }

  async #waitLook<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): Promise<T> {
    for (;;) {
      await this.untilReadable(); // what was seen stays queued, so only a new edge can bring more
      const answer = this.lookNow(parse, need);
      if (typeof answer !== "number") return answer;
      need = answer;
    }
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
      this.whenReadable(wake);
      return undefined;
    }
    this.#need = 1;
    return answer;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (peekOwner === this) peekOwner = undefined;
    for (;;) {
      const held = Math.min(this.held.length, into.length);
      if (held > 0) {
        into.set(this.held.subarray(0, held));
        this.held = behind(this.held, held);
        return held;
      }
      if (this.readable || this.fd < 0) {
        const n = this.recv(into);
        if (n >= 0) return n === 0 ? null : n;
      }
      await this.untilReadable();
    }
  }

  write(bytes: Uint8Array, size = bytes.length): void | Promise<void> {
    if (this.#leaving) return this.#writeBehind(bytes.slice(0, size));
    const sent = size === 0 ? 0 : this.send(bytes, size);
    if (sent < size) return this.#writeRest(bytes.slice(Math.max(0, sent), size));
  }

  async closeWrite(): Promise<void> {
    if (this.#leaving) await this.#leaving;
    this.shutdownWrite();
  }

  abort(reason: GateError): void {
    if (this.fd < 0) return;
    const mover = this.mover;
    this.mover = undefined;
    this.reset(reason);
    mover?.gone(this, reason);
  }

  take(): { fd: number; held: Uint8Array } {
    const held = this.held;
    this.given = true;
    if (peekOwner === this) peekOwner = undefined;
    return { fd: this.release(), held };
  }

  joint(): Joint {
    this.open();
    this.given = true;
    return new RawJoint(this, () => this.unread(), (held, unsent) => {
      this.held = held;
      this.given = false;
      if (unsent.length > 0) this.#leaving = this.#writeRest(unsent);
      this.#leaving?.catch(() => {}); // the next write tells it
      return this;
    });
  }

  /** Moves out what was read ahead. */
  unread(): Uint8Array {
    const held = this.held;
    this.held = NOTHING;
    if (peekOwner === this) peekOwner = undefined;
    return held;
  }

  [Symbol.dispose](): void {
    if (!this.given) this.close();
  }

  /** What is held and what the kernel has, into `peeked`. */
  #peek(): void {
    const held = this.held.length;
    const ended = this.hungUp; // read before peeking: a FIN is queued behind the bytes, and a peek never shows it
    if (held > 0) peeked.set(this.held);
    const n = this.readable ? this.recv(held === 0 ? peeked : peeked.subarray(held), MSG_PEEK) : -1;
    peekOwner = this;
    peekSize = held + Math.max(0, n);
    peekEnded = n === 0 || (ended && peekSize < LOOK_MAX);
  }

  #tryNext<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): T | number {
    if (peekOwner === this) peekOwner = undefined;
    let size = this.held.length, bytes = this.held, phase: Phase = this.#late ? "late" : "open";
    this.open();
    for (;;) {
      if (size >= need || phase !== "open") {
        const answer = use(size === bytes.length ? bytes : viewOf(size), phase);
        if (typeof answer !== "number") {
          this.#hold(bytes, answer.used, size);
          return answer;
        }
        need = needed(answer, size, phase, this.side);
      }
      if (!this.readable) {
        this.#hold(bytes, 0, size);
        return need;
      }
      if (bytes !== received) received.set(bytes);
      bytes = received;
      const n = this.recv(size === 0 ? received : received.subarray(size));
      if (n > 0) size += n;
      else if (n === 0) phase = "ended";
    }
  }

  async #waitNext<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): Promise<T> {
    for (;;) {
      await this.untilReadable();
      const answer = this.#tryNext(use, need);
      if (typeof answer !== "number") return answer;
      need = answer;
    }
  }

  #hold(bytes: Uint8Array, from: number, to: number): void {
    if (from === to) this.held = NOTHING;
    else if (bytes === this.held) this.held = behind(bytes, from);
    else this.held = bytes.slice(from, to);
  }

  async #writeBehind(bytes: Uint8Array): Promise<void> {
    await this.#leaving;
    this.#leaving = undefined;
    await this.#writeRest(bytes);
  }

  async #writeRest(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      if (!this.writable) await this.untilWritable();
      const sent = this.send(rest);
      if (sent > 0) rest = rest.subarray(sent);
    }
  }
}

/** The first bytes of `received`. */
function viewOf(size: number): Uint8Array {
  const at = size & (VIEWS - 1), view = views[at];
  return view?.length === size ? view : views[at] = received.subarray(0, size);
}
