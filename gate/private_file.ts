/**
 * Files of the state directory, which hold what nobody else may know: replaced whole, and believed only where nobody
 * else can have written them.
 */
import { type Failure, GateError } from "./errors.ts";

/** What a file is told to be that does not have the form it was written in. */
export const FOREIGN = "it is damaged, or another version of ugate wrote it";

/** Bits of a mode: the group and everybody else may write. */
const OTHERS_WRITE = 0o022;

/**
 * Puts these bytes in the place of those before; whoever reads, or starts after a loss of power, finds the one or the
 * other whole. Not while another write of the same path goes on. Rejects with GateError.
 */
export async function writePrivate(path: string, bytes: Uint8Array): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf("/")), temporary = `${path}.${Deno.pid}.new`;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    await writeWhole(temporary, bytes);
    await Deno.rename(temporary, path);
  } catch (fault) {
    await Deno.remove(temporary).catch(() => {}); // it may never have been made
    throw new GateError("internal", "gate", `Cannot write ${path}: ${reasonOf(fault)}`, fault);
  }
  await syncDirectory(directory).catch(() => {}); // some filesystems know no such thing: the name is there all the same
}

async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path);
  await directory.sync();
}

/** It is there whole before it gets its name. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.remove(path).catch(() => {}); // of a gate with this number that was killed
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  await file.sync();
}

/**
 * At most so many bytes, as text; undefined: there is no such file. Rejects with GateError for what cannot be read,
 * what is larger, and what others may have written.
 */
export async function readPrivate(path: string, most: number): Promise<string | undefined> {
  try {
    using file = await Deno.open(path);
    const { isFile, size, mode, uid } = await file.stat();
    if (!isFile || size > most) throw unreadable(path, "malformed", FOREIGN);
    if ((mode ?? 0) & OTHERS_WRITE || (uid !== Deno.uid() && uid !== 0)) {
      throw unreadable(path, "denied", "others than this user may have written it");
    }
    return new TextDecoder().decode(await readBytes(file, size));
  } catch (fault) {
    if (fault instanceof Deno.errors.NotFound) return undefined;
    if (fault instanceof GateError) throw fault;
    throw unreadable(path, "internal", reasonOf(fault), fault);
  }
}

async function readBytes(file: Deno.FsFile, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const read = await file.read(bytes.subarray(at));
    if (read === null) break;
    at += read;
  }
  return bytes;
}

/** The one sentence for what is there and cannot be used. */
export function unreadable(path: string, failure: Failure, state: string, cause?: unknown): GateError {
  return new GateError(failure, "gate", `Cannot read ${path}: ${state}`, cause);
}

function reasonOf(fault: unknown): string {
  if (fault instanceof Deno.errors.PermissionDenied) return "this user may not";
  return fault instanceof Error ? fault.message : String(fault);
}
