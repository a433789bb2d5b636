/**
 * What compresses content, on the engine thread itself: libz and libzstd through FFI, in pieces so small that none holds
 * the others up. A thread has one place for what goes in and one for what comes out; a coder is made when it is first
 * needed, and used again.
 */
import type { Coding } from "../requests.ts";
import { asGateError } from "../errors.ts";
import { openLibrary } from "./coder_room.ts";
import { makeGzip } from "./gzip.ts";
import { makeZstd } from "./zstd.ts";

/** What is behind the octets that go in: more; nothing for now, so all of it has to come out; nothing at all. */
export type Behind = "more" | "pause" | "end";

/** One stream of octets that is being coded. Its owner calls `over` once. */
export interface Coder {
  /** Codes the first `size` octets of `plain`; how many came out, in `coded`. Throws GateError `internal`. */
  code(size: number, behind: Behind): number;
  /** It is of use for another stream, or given back. */
  over(): void;
}

/** The state of a library, and how to use it. */
export interface NativeCoder {
  begin(size: number | undefined): void;
  code(size: number, behind: Behind): number;
  free(): void;
}

/** Coders at work on one thread: each has 0.3 to 1 MiB. Beyond, content goes on as it is. */
export const MOST_CODERS = 128;
/** Idle ones of a coding that are kept. */
const KEPT = 8;

const MAKE: Readonly<Record<Coding, () => NativeCoder>> = { gzip: makeGzip, zstd: makeZstd };
const idle: Readonly<Record<Coding, NativeCoder[]>> = { gzip: [], zstd: [] };
let atWork = 0;

/** Why there is none of this coding here; undefined: there is. */
export function missingCoder(coding: Coding): string | undefined {
  try {
    openLibrary(coding, {}).close();
    return undefined;
  } catch (thrown) {
    return asGateError(thrown).message;
  }
}

/** How many are at work on this thread. */
export const codersAtWork = (): number => atWork;

/** `size`: of all octets that will go in, where it is known. undefined: too many are at work. Throws GateError. */
export function startCoder(coding: Coding, size: number | undefined): Coder | undefined {
  if (atWork >= MOST_CODERS) return undefined;
  let native: NativeCoder | undefined = idle[coding].pop() ?? MAKE[coding]();
  native.begin(size);
  atWork++;
  return {
    code: (size, behind) => native!.code(size, behind),
    over: () => {
      if (!native) return;
      atWork--;
      if (idle[coding].length < KEPT) idle[coding].push(native);
      else native.free();
      native = undefined;
    },
  };
}
