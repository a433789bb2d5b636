/** gzip (RFC 1952) by libz. One struct z_stream for each coder, which libz knows by its address. */
import { addressOf, coded, failed, openLibrary, plain } from "./coder_room.ts";
import type { Behind, NativeCoder } from "./coders.ts";

const SYMBOLS = {
  deflateInit2_: {
    parameters: ["buffer", "i32", "i32", "i32", "i32", "i32", "buffer", "i32"],
    result: "i32",
  },
  deflate: { parameters: ["buffer", "i32"], result: "i32" },
  deflateReset: { parameters: ["buffer"], result: "i32" },
  deflateEnd: { parameters: ["buffer"], result: "i32" },
} as const;

/** Where most of the size is won: beyond, time grows faster. */
const LEVEL = 4;
const DEFLATED = 8, GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8, DEFAULT_STRATEGY = 0;
/** libz compares the first character alone. */
const VERSION = new TextEncoder().encode("1.2.11\0");
/** struct z_stream of LP64. */
const STRUCT = 112, NEXT_IN = 0, AVAIL_IN = 8, NEXT_OUT = 24, AVAIL_OUT = 32;
const FLUSH: Readonly<Record<Behind, number>> = { more: 0, pause: 2, end: 4 };
const OK = 0, STREAM_END = 1, NOTHING_TO_DO = -5;

const PLAIN = addressOf(plain), CODED = addressOf(coded);

let library: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;

/** Throws GateError `internal` where there is none. */
export const gzipLibrary = () => library ??= openLibrary("gzip", SYMBOLS).symbols;

export const makeGzip = (): NativeCoder => new Gzip();

class Gzip implements NativeCoder {
  readonly #libz = gzipLibrary();
  readonly #stream = new Uint8Array(STRUCT);
  readonly #view = new DataView(this.#stream.buffer);
  #live = false;

  begin(): void {
    const code = this.#live ? this.#libz.deflateReset(this.#stream) : this.#libz.deflateInit2_(
      this.#stream,
      ...[LEVEL, DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, DEFAULT_STRATEGY] as const,
      VERSION,
      STRUCT,
    );
    if (code !== OK) throw failed("gzip", code);
    this.#live = true;
  }

  code(size: number, behind: Behind): number {
    const view = this.#view;
    view.setBigUint64(NEXT_IN, PLAIN, true);
    view.setUint32(AVAIL_IN, size, true);
    view.setBigUint64(NEXT_OUT, CODED, true);
    view.setUint32(AVAIL_OUT, coded.length, true);
    const code = this.#libz.deflate(this.#stream, FLUSH[behind]);
    const left = view.getUint32(AVAIL_OUT, true);
    const done = behind === "end" ? code === STREAM_END : code === OK || code === NOTHING_TO_DO;
    if (!done || left === 0 || view.getUint32(AVAIL_IN, true) > 0) throw failed("gzip", code);
    return coded.length - left;
  }

  free(): void {
    if (this.#live) this.#libz.deflateEnd(this.#stream);
    this.#live = false;
  }
}
