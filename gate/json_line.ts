/** What the lines of connections and requests are put together from as JSON: their beginning, and one field each. */
import { causeChain, type GateError } from "./errors.ts";
import type { Level } from "./log.ts";
import type { LineBuffer } from "./line_buffer.ts";
import { isoTime } from "./log_line.ts";

const ZERO = 0x30;
const TIME_AT = '{"time":"'.length, MILLISECONDS_AT = TIME_AT + "1970-01-01T00:00:00.".length;

const encoder = new TextEncoder();

/** How lines of one event begin. Nearly all of them differ in their time alone, and most of that is the line before's. */
export class LineBeginning {
  readonly #event: string;
  /** Of one that ended well. */
  readonly #well: Uint8Array;
  readonly #time: Uint8Array;
  #second = 0;

  constructor(event: string) {
    this.#event = event;
    this.#well = encoder.encode(
      `{"time":"${isoTime(0)}","level":"info","event":"${event}","outcome":"ok","ms":`,
    );
    this.#time = this.#well.subarray(TIME_AT);
  }

  /** Up to how long it took. `time` in ms since the epoch, `duration` in ms. */
  put(
    lines: LineBuffer,
    level: Level,
    failure: GateError | undefined,
    time: number,
    duration: number,
  ): void {
    if (level === "info" && !failure) lines.put(this.#wellAt(time));
    else {
      const outcome = failure?.failure ?? "ok";
      lines.plain(
        `{"time":"${isoTime(time)}","level":"${level}","event":"${this.#event}","outcome":"${outcome}","ms":`,
      );
    }
    lines.number(Math.round(duration));
  }

  #wellAt(time: number): Uint8Array {
    const well = this.#well, second = Math.floor(time / 1000), rest = Math.floor(time) - second * 1000;
    if (second !== this.#second) encoder.encodeInto(isoTime(time), this.#time);
    this.#second = second;
    well[MILLISECONDS_AT] = ZERO + Math.floor(rest / 100);
    well[MILLISECONDS_AT + 1] = ZERO + Math.floor(rest / 10) % 10;
    well[MILLISECONDS_AT + 2] = ZERO + rest % 10;
    return well;
  }
}

/** A field with this name, which is ASCII. An empty text is nothing to tell. */
export function putField(lines: LineBuffer, name: string, text: string | undefined): void {
  if (text) lines.plain(',"').plain(name).plain('":').json(text);
}

/** A whole number. undefined is nothing to tell. */
export function putNumber(lines: LineBuffer, name: string, value: number | undefined): void {
  if (value !== undefined) lines.plain(',"').plain(name).plain('":').number(value);
}

/** Who caused it, and what it was. */
export function putFailure(lines: LineBuffer, failure: GateError): void {
  putField(lines, "side", failure.side);
  putField(lines, "cause", causeChain(failure));
}

/** Which connection it was, and the end of the line. */
export function putEnd(lines: LineBuffer, { id, parent }: { id: number; parent?: number }): void {
  putNumber(lines, "id", id);
  putNumber(lines, "parent", parent);
  lines.plain("}\n");
}
