/**
 * The log's way out. Who does not read it (a pager, a full pipe, a hanging disk) must not hold the gate: lines are
 * written beside everything else, those that wait are bounded, and the log says how many were lost.
 */

import { inTime } from "./in_time.ts";

/** Lines that may wait, in UTF-16 units. */
const MOST_WAITING = 4 << 20;

/** Writes some of the bytes and answers how many, as `Deno.stderr.write`. */
export type Sink = (bytes: Uint8Array) => Promise<number>;

export class LogWriter {
  readonly #sink: Sink;
  readonly #tellLost: (lines: number) => string;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
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

  /** Whole lines. Returns at once; they leave in order. */
  write(lines: string): void {
    if (this.#size + lines.length > MOST_WAITING) {
      this.#lose(lines);
      return;
    }
    this.#size += lines.length;
    this.#waiting.push(lines);
    this.#writing ??= this.#drain();
  }

  /** Waits until all is written, at most so many ms. */
  async flush(ms: number): Promise<void> {
    if (this.#writing) await inTime(this.#writing, ms);
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.join("");
      this.#waiting = [];
      const taken = await this.#send(lines);
      this.#size -= lines.length;
      if (this.#untold === 0 || !taken) continue;
      const told = this.#tellLost(this.#untold);
      this.#untold = 0;
      this.#size += told.length;
      this.#waiting.push(told); // what was lost came behind all that waited
    }
    this.#writing = undefined; // in the turn that saw nothing waiting: a line of the next one begins anew
  }

  /** A log that takes nothing (its reader has gone, its disk is full) must not end the gate: these lines are gone. */
  async #send(lines: string): Promise<boolean> {
    try {
      for (let rest = this.#encoder.encode(lines); rest.length > 0;) {
        rest = rest.subarray(await this.#sink(rest));
      }
      return true;
    } catch {
      this.#lose(lines);
      return false;
    }
  }

  #lose(lines: string): void {
    const count = lines.split("\n").length - 1;
    this.#lost += count;
    this.#untold += count;
  }
}
