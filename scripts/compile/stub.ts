/**
 * The runtime that `deno compile` glues a program onto (`denort`). Deno takes it from its download site, or from
 * DENORT_BIN, and compares neither its CPU nor its version: here both are.
 */
import { Buffer } from "node:buffer";
import { type Target, targetOf } from "./target.ts";

export interface Stub {
  readonly path: string;
  readonly target: Target;
  /** Of Deno, as the stub calls itself. */
  readonly versions: readonly string[];
}

const NAME = Buffer.from("Deno/");

/** Every `Deno/1.2.3` in an image: denort holds its own as the User-Agent. */
export function versionsIn(image: Uint8Array): string[] {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const found = new Set<string>();
  for (let at = bytes.indexOf(NAME); at >= 0; at = bytes.indexOf(NAME, at + 1)) {
    const version = /^Deno\/(\d+\.\d+\.\d+)/.exec(bytes.toString("latin1", at, at + 32))?.[1];
    if (version) found.add(version);
  }
  return [...found];
}

/** The stubs of `DENORT_BIN`: one path, or several between colons. Throws where one cannot be a stub. */
export async function stubsOf(paths: string): Promise<Stub[]> {
  return await Promise.all(
    paths.split(":").filter((path) => path !== "").map(async (path) => {
      const image = await Deno.readFile(path).catch((cause) => {
        throw new Error(`Cannot read DENORT_BIN ${path}: ${cause.message}`, { cause });
      });
      const target = targetOf(image);
      if (target === undefined) {
        throw new Error(`Cannot use DENORT_BIN ${path}: no program for Linux on x86-64 or arm64`);
      }
      return { path, target, versions: versionsIn(image) };
    }),
  );
}

/** The stub for `target`; undefined: none is of its CPU. Throws where that one is of another Deno. */
export function stubFor(target: Target, stubs: readonly Stub[], deno: string): Stub | undefined {
  const stub = stubs.find((stub) => stub.target === target);
  if (stub && !stub.versions.includes(deno)) {
    const versions = stub.versions.join(", ") || "no version of Deno";
    throw new Error(`Cannot use DENORT_BIN ${stub.path}: it is of ${versions}, and this is Deno ${deno}`);
  }
  return stub;
}
