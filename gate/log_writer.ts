/**
 * The log's way out. Who does not read it (a pager, a full pipe, a hanging disk) must not hold the gate: lines are
 * written beside everything else, those that wait are bounded, and the log says how many were lost.
 */

import { inTime } from "./in_time.ts";

/** Octets of lines that may wait. */
const MOST_WAITING = 4 << 20;
const LF = 0x0a;

/** Writes some of the bytes and answers how many, as `Deno.stderr.write`. */
export type Sink = (bytes: Uint8Array) => Promise<number>;

export class LogWriter {
  readonly #sink: Sink;
  readonly #tellLost: (lines: number) => string;
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array[] = [];
  #size = 0;
  /** Lines that are missing: all of them, and those that the log does not say yet. */
  #lost = 0;
  #untold = 0;
  #writing: Promise<void> | undefined;

  /** `tellLost` words the line that tells how many lines are missing. */
  constructor(sink: Sink, tellLost: (lines: number) => string) {
    this.#sink = sink;
    this.#tellLost = tellLost;
  }

  /** How many lines nobody took, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Whole lines, octets of UTF-8 or text. Returns at once; they leave in order. */
  write(lines: Uint8Array | string): void {
    const octets = typeof lines === "string" ? this.#encoder.encode(lines) : lines;
    if (this.#size + octets.length > MOST_WAITING) return this.#lose(octets);
    this.#wait(octets);
    this.#writing ??= this.#drain();
  }

  #wait(lines: Uint8Array): void {
    this.#size += lines.length;
    this.#waiting.push(lines);
  }

  /** Waits until all is written, at most so many ms. */
  async flush(ms: number): Promise<void> {
    if (this.#writing) await inTime(this.#writing, ms);
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = joined(this.#waiting);
      this.#waiting = [];
      const taken = await this.#send(lines);
      this.#size -= lines.length;
      if (this.#untold === 0 || !taken) continue;
      const told = this.#tellLost(this.#untold);
      this.#untold = 0;
      this.#wait(this.#encoder.encode(told)); // what was lost came behind all that waited
    }
    this.#writing = undefined; // in the turn that saw nothing waiting: a line of the next one begins anew
  }

  /** A log that takes nothing (its reader has gone, its disk is full) must not end the gate: these lines are gone. */
  async #send(lines: Uint8Array): Promise<boolean> {
    try {
      for (let rest = lines; rest.length > 0;) {
        rest = rest.subarray(await this.#sink(rest));
      }
      return true;
    } catch {
      this.#lose(lines);
      return false;
    }
  }

  #lose(lines: Uint8Array): void {
    let count = 0;
    for (let at = lines.indexOf(LF); at >= 0; at = lines.indexOf(LF, at + 1)) count++;
    this.#lost += count;
    this.#untold += count;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
