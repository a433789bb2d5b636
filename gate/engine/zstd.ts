/** zstd (RFC 8878) by libzstd. */
import { addressOf, coded, failed, openLibrary, plain } from "./coder_room.ts";
import type { Behind, NativeCoder } from "./coders.ts";

/** size_t as i32: what it answers is small, or minus the number of an error. */
const SYMBOLS = {
  ZSTD_createCCtx: { parameters: [], result: "pointer" },
  ZSTD_freeCCtx: { parameters: ["pointer"], result: "i32" },
  ZSTD_CCtx_reset: { parameters: ["pointer", "i32"], result: "i32" },
  ZSTD_CCtx_setParameter: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  ZSTD_CCtx_setPledgedSrcSize: { parameters: ["pointer", "u64"], result: "i32" },
  ZSTD_compressStream2: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
} as const;

const COMPRESSION_LEVEL = 100, WINDOW_LOG = 101, RESET_SESSION = 1;
const LEVEL = 3;
/** 128 KiB: what a coder needs grows with it, and clients bound theirs (RFC 9659). */
const WINDOW = 17;
const DIRECTIVE: Readonly<Record<Behind, number>> = { more: 0, pause: 1, end: 2 };

const PLAIN = addressOf(plain), CODED = addressOf(coded);

let library: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;

/** Throws GateError `internal` where there is none. */
export const zstdLibrary = () => library ??= openLibrary("zstd", SYMBOLS).symbols;

export const makeZstd = (): NativeCoder => new Zstd();

/** ZSTD_inBuffer and ZSTD_outBuffer: an address, a size, and how far it is used. */
const input = new BigUint64Array(3), inputBytes = new Uint8Array(input.buffer);
const output = new BigUint64Array(3), outputBytes = new Uint8Array(output.buffer);

class Zstd implements NativeCoder {
  readonly #libzstd = zstdLibrary();
  #context: Deno.PointerValue = null;

  begin(size: number | undefined): void {
    const { ZSTD_createCCtx, ZSTD_CCtx_reset, ZSTD_CCtx_setParameter, ZSTD_CCtx_setPledgedSrcSize } =
      this.#libzstd;
    if (this.#context === null) {
      this.#context = ZSTD_createCCtx();
      if (this.#context === null) throw failed("zstd", 0);
      check(ZSTD_CCtx_setParameter(this.#context, COMPRESSION_LEVEL, LEVEL));
      check(ZSTD_CCtx_setParameter(this.#context, WINDOW_LOG, WINDOW));
    } else check(ZSTD_CCtx_reset(this.#context, RESET_SESSION));
    if (size !== undefined) check(ZSTD_CCtx_setPledgedSrcSize(this.#context, BigInt(size)));
  }

  code(size: number, behind: Behind): number {
    input[0] = PLAIN;
    input[1] = BigInt(size);
    input[2] = 0n;
    output[0] = CODED;
    output[1] = BigInt(coded.length);
    output[2] = 0n;
    const left = check(
      this.#libzstd.ZSTD_compressStream2(this.#context, outputBytes, inputBytes, DIRECTIVE[behind]),
    );
    if (input[2] < input[1] || behind !== "more" && left > 0) throw failed("zstd", left);
    return Number(output[2]);
  }

  free(): void {
    this.#libzstd.ZSTD_freeCCtx(this.#context);
    this.#context = null;
  }
}

function check(answer: number): number {
  if (answer < 0) throw failed("zstd", answer);
  return answer;
}
