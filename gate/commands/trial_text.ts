/** The text of a configuration that is tried before it takes its place. */
import { MOST_BYTES, TOO_LARGE } from "../config/files.ts";
import { GateError } from "../errors.ts";

/** What is in a file, or with `-` on stdin: at most 1 MiB of UTF-8. Throws GateError. */
export async function readTrialText(file: string): Promise<string> {
  if (file === "-") return textOf(await readBounded(Deno.stdin), "the standard input");
  try {
    if ((await Deno.stat(file)).isDirectory) {
      throw unreadable(file, "it is a directory; a trial is one file, the whole configuration");
    }
    using opened = await Deno.open(file);
    return textOf(await readBounded(opened), file);
  } catch (thrown) {
    if (thrown instanceof GateError) throw thrown;
    throw unreadable(file, stateOf(thrown));
  }
}

async function readBounded(from: { read(into: Uint8Array): Promise<number | null> }): Promise<Uint8Array> {
  const bytes = new Uint8Array(MOST_BYTES + 1);
  let size = 0;
  while (size < bytes.length) {
    const read = await from.read(bytes.subarray(size));
    if (read === null) break;
    size += read;
  }
  return bytes.subarray(0, size);
}

function textOf(bytes: Uint8Array, name: string): string {
  if (bytes.length > MOST_BYTES) throw unreadable(name, TOO_LARGE);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw unreadable(name, "expected UTF-8 text");
  }
}

function stateOf(thrown: unknown): string {
  if (thrown instanceof Deno.errors.NotFound) return "there is no such file";
  if (thrown instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function unreadable(file: string, state: string): GateError {
  return new GateError("internal", "gate", `Cannot read ${file}: ${state}`);
}
