/** Streams in memory: a pair of ends, by the contract of Stream to the letter, for tests without sockets. */
import type { Phase, Stream } from "../../gate/streams.ts";
import { GateError, type Side } from "../../gate/errors.ts";

const NOTHING = new Uint8Array(0);
/** A writer waits while the reader has this much before it. */
const WINDOW = 256 * 1024;
/** As gate/engine/look.ts has it. */
const LOOK_MAX = 65536;

/** One direction. */
class Line {
  bytes = NOTHING;
  ended = false;
  abandoned = false;
  late = false;
  /** Why it broke, to who reads and to who writes: one of them may have done it. */
  broken: GateError | undefined;
  refused: GateError | undefined;
  #waiting: (() => void)[] = [];

  change(what: Partial<Pick<Line, "bytes" | "ended" | "abandoned" | "late" | "broken" | "refused">>): void {
    Object.assign(this, what);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  changed(): Promise<void> {
    return new Promise((wake) => this.#waiting.push(wake));
  }

  get phase(): Phase {
    return this.ended ? "ended" : this.late ? "late" : "open";
  }
}

export class MemoryStream implements Stream {
  state: "open" | "disposed" | "moved" | "aborted" = "open";
  #in: Line;
  #out: Line;
  #need = 1;

  /** `side` is who is at the other end, for the errors. */
  constructor(incoming: Line, outgoing: Line, readonly side: Side) {
    this.#in = incoming;
    this.#out = outgoing;
  }

  /** Bytes that came and were not read. */
  get unread(): number {
    return this.#in.bytes.length;
  }

  /** The time for first bytes is over. */
  late(): void {
    this.#in.change({ late: true });
  }

  async look<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
  ): Promise<T> {
    const { shown } = await this.next((bytes, phase) => {
      const shown = parse(bytes, phase);
      return typeof shown === "number" ? shown : { used: 0, shown };
    });
    return shown;
  }

  next<T extends { used: number }>(use: (bytes: Uint8Array, phase: Phase) => T | number): T | Promise<T> {
    const answer = this.#try(use, 1);
    return typeof answer === "number" ? this.#later(use, answer) : answer;
  }

  poll<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    wake: () => void,
  ): T | undefined {
    const answer = this.#try(use, this.#need);
    this.#need = typeof answer === "number" ? answer : 1;
    if (typeof answer !== "number") return answer;
    void this.#in.changed().then(wake);
    return undefined;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      this.#check(this.#in.broken);
      const size = Math.min(into.length, this.unread);
      if (size > 0) {
        into.set(this.#in.bytes.subarray(0, size));
        this.#in.change({ bytes: this.#in.bytes.subarray(size) });
        return size;
      }
      if (this.#in.ended) return null;
      await this.#in.changed();
    }
  }

  write(whole: Uint8Array, size = whole.length): void | Promise<void> {
    const bytes = whole.subarray(0, size);
    this.#check(this.#out.refused);
    if (this.#out.ended) throw new Error("written after closeWrite");
    if (this.#out.abandoned) throw new GateError("reset", this.side, "Cannot write: the peer closed");
    const line = this.#out, all = new Uint8Array(line.bytes.length + bytes.length);
    all.set(line.bytes);
    all.set(bytes, line.bytes.length);
    line.change({ bytes: all });
    if (all.length > WINDOW) return this.#drained();
  }

  // deno-lint-ignore require-await -- the contract's promise carries the error
  async closeWrite(): Promise<void> {
    this.#check(this.#out.refused);
    this.#out.change({ ended: true });
  }

  abort(reason: GateError): void {
    if (this.state !== "open") return;
    this.state = "aborted";
    const reset = new GateError("reset", this.side, "Cannot go on: the peer reset");
    this.#out.change({ bytes: NOTHING, broken: reset, refused: reason });
    this.#in.change({ bytes: NOTHING, broken: reason, refused: reset });
  }

  /** To whoever it is moved to; this handle is dead. */
  move(): MemoryStream {
    this.#check(this.#in.broken);
    this.state = "moved";
    return new MemoryStream(this.#in, this.#out, this.side);
  }

  [Symbol.dispose](): void {
    if (this.state !== "open") return;
    this.state = "disposed";
    this.#out.change({ ended: true });
    this.#in.change({ abandoned: true });
  }

  #try<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): T | number {
    this.#check(this.#in.broken);
    const { bytes, phase } = this.#in;
    if (bytes.length < need && phase === "open") return need;
    const shown = bytes.slice();
    const answer = use(shown, phase);
    shown.fill(0xa5); // valid during the call only: who keeps it keeps nonsense
    if (typeof answer !== "number") {
      if (answer.used > 0) this.#in.change({ bytes: bytes.subarray(answer.used) });
      return answer;
    }
    if (phase === "open" && answer <= bytes.length) {
      throw new Error(`asked for ${answer} of ${bytes.length} bytes`);
    }
    if (phase === "open" && answer > LOOK_MAX) {
      throw new GateError("malformed", this.side, "Cannot read a message: too long");
    }
    if (phase === "ended") {
      throw new GateError("closed", this.side, "Cannot read a whole message: the peer ended");
    }
    if (phase === "late") throw new GateError("timeout", this.side, "Cannot read a whole message: too slow");
    return answer;
  }

  async #later<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    need: number,
  ): Promise<T> {
    for (;;) {
      await this.#in.changed();
      const answer = this.#try(use, need);
      if (typeof answer !== "number") return answer;
      need = answer;
    }
  }

  async #drained(): Promise<void> {
    while (this.#out.bytes.length > WINDOW && !this.#out.abandoned) {
      await this.#out.changed();
      this.#check(this.#out.refused);
    }
  }

  #check(broken: GateError | undefined): void {
    if (this.state === "moved") throw new Error("used after it was moved");
    if (broken) throw broken;
    if (this.state === "disposed") {
      throw new GateError("closed", "gate", "Cannot go on: the stream is closed");
    }
  }
}

/** The end inside the gate, and the peer's: `side` says who that peer is. */
export function memoryPair(side: Side = "client"): [inside: MemoryStream, peer: MemoryStream] {
  const from = new Line(), to = new Line();
  return [new MemoryStream(from, to, side), new MemoryStream(to, from, "gate")];
}

/** Everything until the end. */
export async function readAll(stream: Stream): Promise<Uint8Array> {
  const all: number[] = [];
  for (const into = new Uint8Array(65536);;) {
    const size = await stream.read(into);
    if (size === null) return Uint8Array.from(all);
    all.push(...into.subarray(0, size));
  }
}

/** Exactly so many bytes. */
export async function readExactly(stream: Stream, size: number): Promise<Uint8Array> {
  if (size === 0) return NOTHING;
  const { bytes } = await stream.next((bytes) => {
    return bytes.length < size ? size : { used: size, bytes: bytes.slice(0, size) };
  });
  return bytes;
}
