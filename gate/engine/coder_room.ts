/** The two places of a thread that coders read from and write to: their addresses never change. */
import type { Coding } from "../requests.ts";
import { GateError } from "../errors.ts";

/** Octets that one call may take. */
export const PIECE = 16 * 1024;
/** More than any call gives: a whole block of zstd (128 KiB) and what frames it. */
const ROOM = 192 * 1024;

/** What goes in, and what comes out: valid until the next call. */
export const plain = new Uint8Array(PIECE), coded = new Uint8Array(ROOM);

/** Where a buffer is. It has to outlive the address, and is never small enough to be moved. */
export function addressOf(buffer: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)) as bigint;
}

/** Where the libraries are looked for: by name, as the system has them. */
const LIBRARIES: Readonly<Record<Coding, string>> = { gzip: "libz.so.1", zstd: "libzstd.so.1" };

const PACKAGES: Readonly<Record<Coding, string>> = { gzip: "zlib1g", zstd: "libzstd1" };

/** Throws GateError `internal` where there is none. */
export function openLibrary<S extends Deno.ForeignLibraryInterface>(
  what: Coding,
  symbols: S,
): Deno.DynamicLibrary<S> {
  const file = LIBRARIES[what];
  try {
    return Deno.dlopen(file, symbols);
  } catch (thrown) {
    throw new GateError(
      "internal",
      "gate",
      `Cannot compress with ${what}: there is no ${file} on this machine (Debian: ${PACKAGES[what]})`,
      thrown,
    );
  }
}

/** A library that does what it promises never comes here. */
export const failed = (what: string, code: number): GateError =>
  new GateError("internal", "gate", `Cannot compress with ${what}: its library answers ${code}`);
