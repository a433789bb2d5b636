/** Files that a configuration names, such as certificates: what was read of them, and whether that is still there. */
import { createHash } from "node:crypto";

/** A file that was read, or could not be. */
export interface Reference {
  /** Absolute. */
  readonly path: string;
  /** The digest of what was read, or why nothing was: another one means that the file changed. */
  readonly state: string;
}

/** All roots of a system have a quarter of it. */
const MOST_BYTES = 1024 * 1024;

export type Read = { readonly text: string; readonly bytes: Uint8Array } | { readonly fault: string };

/** Reads a file, once for all that name it, and remembers what was there. */
export class ReferencedFiles {
  readonly #read = new Map<string, Promise<Read & { readonly state: string }>>();

  async read(path: string): Promise<Read & Pick<Reference, "state">> {
    const known = this.#read.get(path) ?? readFile(path);
    this.#read.set(path, known);
    return await known;
  }

  /** Of everything that was read. */
  async references(): Promise<Reference[]> {
    return await Promise.all(Array.from(this.#read, async ([path, read]) => {
      return { path, state: (await read).state };
    }));
  }
}

export const sameReferences = (a: readonly Reference[], b: readonly Reference[]): boolean =>
  a.length === b.length && a.every(({ path, state }, i) => path === b[i].path && state === b[i].state);

/** Whether reading them now would give what it gave then. */
export async function stillThere(references: readonly Reference[]): Promise<boolean> {
  for (const { path, state } of references) if ((await readFile(path)).state !== state) return false;
  return true;
}

/** Never rejects. */
async function readFile(path: string): Promise<Read & { readonly state: string }> {
  try {
    const { isFile } = await Deno.stat(path);
    if (!isFile) return unreadable("expected a file, or a link to one"); // a pipe would be waited for
    const bytes = await readBytes(path);
    if (bytes.length > MOST_BYTES) return unreadable("expected at most 1 MiB");
    return {
      bytes,
      text: new TextDecoder().decode(bytes),
      state: createHash("sha256").update(bytes).digest("hex"),
    };
  } catch (fault) {
    return unreadable(reasonOf(fault));
  }
}

const unreadable = (fault: string) => ({ fault, state: fault });

async function readBytes(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(MOST_BYTES + 1);
  let size = 0;
  while (size < bytes.length) {
    const read = await file.read(bytes.subarray(size));
    if (read === null) break;
    size += read;
  }
  return bytes.subarray(0, size);
}

function reasonOf(fault: unknown): string {
  if (fault instanceof Deno.errors.NotFound) return "there is no such file";
  if (fault instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return fault instanceof Error ? fault.message : String(fault);
}
