/**
 * What `deno compile` has put behind its runtime: settings and a file system, each as JSON behind its length (u64,
 * little-endian). Deno documents none of it (read in binaries of 2.7 and 2.9): what does not fit is an error.
 */
import { Buffer } from "node:buffer";

/** The part of Deno's settings that is looked at. `null` in a permission: not given; an empty list: all of it. */
export interface Settings {
  readonly entrypoint_key: string;
  readonly code_cache_key: string | null;
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
}

export interface Payload {
  readonly settings: Settings;
  /** Content by path: relative to the repository, or below `.deno_compile_node_modules/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

type Entry =
  | { readonly Dir: { readonly n: string; readonly e: readonly Entry[] } }
  | { readonly File: { readonly n: string; readonly o: readonly [offset: number, size: number] } }
  | { readonly Symlink: unknown };

const SETTINGS = '{"argv":', FOLDERS = '[{"Dir":{"n":"';
const LENGTH = 8;

/** Throws where the image holds no program, or one that is laid out in another way. */
export function payloadOf(image: Uint8Array): Payload {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const settings = jsonAt<Settings>(bytes, SETTINGS);
  const tree = jsonAt<readonly Entry[]>(bytes, FOLDERS, settings.end);
  const files = new Map<string, Uint8Array>();
  for (const [path, [offset, size]] of listed(tree.value)) {
    const at = tree.end + LENGTH + offset;
    if (at + size > bytes.length) throw new Error(`Cannot read ${path} of the program: it is cut off`);
    files.set(path, bytes.subarray(at, at + size));
  }
  return { settings: settings.value, files };
}

/** The first JSON that begins so, fills exactly the length before it, and parses; and where it ends. */
function jsonAt<T>(bytes: Buffer, start: string, from = 0): { value: T; end: number } {
  for (let at = bytes.indexOf(start, from); at >= 0; at = bytes.indexOf(start, at + 1)) {
    const end = at + (at < LENGTH ? Infinity : Number(bytes.readBigUInt64LE(at - LENGTH)));
    if (end > bytes.length) continue; // the same letters in the runtime's own code
    try {
      return { value: JSON.parse(bytes.toString("utf8", at, end)), end };
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError)) throw thrown;
    }
  }
  throw new Error(`Cannot read the program: nothing in it begins with ${start}, as Deno 2.7 and 2.9 have it`);
}

function* listed(entries: readonly Entry[], folder = ""): Generator<[string, readonly [number, number]]> {
  for (const entry of entries) {
    if ("Dir" in entry) yield* listed(entry.Dir.e, `${folder}${entry.Dir.n}/`);
    else if ("File" in entry) yield [folder + entry.File.n, entry.File.o];
  }
}
