/**
 * Lines of the log as UTF-8, put together octet by octet until they are sent on. Tens of thousands of strings a second,
 * which wait for that, would cost more than what they tell of.
 */
import { jsonText } from "./log_line.ts";

/** Octets of the smallest one. */
const LEAST = 4096;
const QUOTE = 0x22, BACKSLASH = 0x5c, SPACE = 0x20, TILDE = 0x7e, ZERO = 0x30;
/** The most octets of UTF-8 for one unit of UTF-16. */
const MOST_OF_UNIT = 3;

const encoder = new TextEncoder();

export class LineBuffer {
  #octets = new Uint8Array(LEAST);
  #size = 0;

  /** Octets. */
  get size(): number {
    return this.#size;
  }

  put(octets: Uint8Array): this {
    if (octets.length === 0) return this;
    const at = this.#reserve(octets.length);
    this.#octets.set(octets, at);
    this.#size += octets.length;
    return this;
  }

  /** ASCII, as it is. */
  plain(text: string): this {
    const at = this.#reserve(text.length), octets = this.#octets;
    for (let i = 0; i < text.length; i++) octets[at + i] = text.charCodeAt(i);
    this.#size += text.length;
    return this;
  }

  text(text: string): this {
    const at = this.#reserve(text.length * MOST_OF_UNIT);
    this.#size += encoder.encodeInto(text, this.#octets.subarray(at)).written;
    return this;
  }

  /** The text as JSON that no terminal obeys, in quotes. */
  json(text: string): this {
    let at = this.#reserve(text.length + 2);
    const octets = this.#octets;
    octets[at++] = QUOTE;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < SPACE || unit > TILDE || unit === QUOTE || unit === BACKSLASH) {
        return this.text(jsonText(text));
      }
      octets[at++] = unit;
    }
    octets[at++] = QUOTE;
    this.#size = at;
    return this;
  }

  number(value: number): this {
    if (!(value >= 0 && Number.isSafeInteger(value))) return this.text(String(value));
    let digits = 1;
    for (let bound = 10; value >= bound; bound *= 10) digits++;
    const at = this.#reserve(digits);
    for (let i = digits - 1, rest = value; i >= 0; i--) {
      this.#octets[at + i] = ZERO + rest % 10;
      rest = Math.floor(rest / 10);
    }
    this.#size += digits;
    return this;
  }

  /** All of it, which is the caller's then: with its memory, so that it may be moved to another thread. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#octets.subarray(0, this.#size);
    this.#octets = new Uint8Array(Math.max(LEAST, this.#size + (this.#size >> 3))); // as much will come again
    this.#size = 0;
    return taken;
  }

  /** Where so many octets more have room. */
  #reserve(octets: number): number {
    const least = this.#size + octets;
    if (least > this.#octets.length) {
      const grown = new Uint8Array(Math.max(least, 2 * this.#octets.length));
      grown.set(this.#octets.subarray(0, this.#size));
      this.#octets = grown;
    }
    return this.#size;
  }
}
