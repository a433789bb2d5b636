/** A text that waits beside a file to take its place: at once, or never. */
import { GateError } from "../errors.ts";

const GROUP_BITS = 0o070, OTHER_BITS = 0o007;

/** Disposed before it was taken, it leaves no trace. */
export class Replacement implements AsyncDisposable {
  #waits = true;

  private constructor(
    /** The file whose place it takes; a symbolic link was followed. */
    readonly file: string,
    /** Where it waits. */
    readonly path: string,
    /** What could not be kept of the owner or the mode; undefined: everything is as it was. */
    readonly lost: string | undefined,
  ) {}

  /**
   * Writes the text beside the file, whose path is absolute, and onto the disk, with its mode and owner. Throws GateError
   * where it cannot.
   */
  static async prepare(file: string, text: string): Promise<Replacement> {
    try {
      const real = await realPath(file);
      const old = await Deno.stat(real).catch(absent);
      if (old && !old.isFile) throw new Error("it is no file");
      const [folder, name] = split(real);
      // Hidden, and no `*.yaml`: a gate that reads this directory does not take it for a part of its configuration.
      const path = `${folder}/.${name}.${crypto.randomUUID()}`;
      const lost = await write(path, text, old);
      return new Replacement(real, path, lost);
    } catch (thrown) {
      const state = thrown instanceof Error ? thrown.message : String(thrown);
      throw new GateError("internal", "gate", `Cannot write ${file}: ${state}`);
    }
  }

  /** Takes the place. Throws GateError where it cannot, and waits on. */
  async take(): Promise<void> {
    try {
      await Deno.rename(this.path, this.file);
      this.#waits = false;
      await sync(split(this.file)[0]);
    } catch (thrown) {
      const state = thrown instanceof Error ? thrown.message : String(thrown);
      throw new GateError(
        "internal",
        "gate",
        `Cannot put ${this.path} in the place of ${this.file}: ${state}`,
      );
    }
  }

  /** From now on it belongs to whoever finds it. */
  leave(): void {
    this.#waits = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#waits) await Deno.remove(this.path).catch(absent);
  }
}

/** What could not be kept of the old file. */
async function write(
  path: string,
  text: string,
  old: Deno.FileInfo | undefined,
): Promise<string | undefined> {
  try {
    using opened = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await opened.write(bytes.subarray(at));
    const lost = old && await likeOld(path, old);
    await opened.sync();
    return lost;
  } catch (thrown) {
    await Deno.remove(path).catch(absent);
    throw thrown;
  }
}

/** Another group gets no more than everybody may: what was shown to the old one alone is not shown to it. */
async function likeOld(path: string, { uid, gid, mode }: Deno.FileInfo): Promise<string | undefined> {
  if (mode === null) return undefined; // Windows has neither
  const kept = await Deno.chown(path, uid, gid).then(() => true, () => false);
  const own = await Deno.stat(path);
  const sameGroup = own.gid === gid;
  await Deno.chmod(path, sameGroup ? mode & 0o777 : (mode & ~GROUP_BITS & 0o777) | (mode & OTHER_BITS) << 3);
  return kept ? undefined : `its owner is ${own.uid}:${own.gid} and was ${uid}:${gid}`;
}

/** The file that a chain of links leads to; one that is not there yet is itself. */
async function realPath(file: string): Promise<string> {
  const there = await Deno.realPath(file).catch(absent);
  if (there !== undefined) return there;
  const [folder, name] = split(file);
  return `${await Deno.realPath(folder)}/${name}`;
}

function split(file: string): [folder: string, name: string] {
  const slash = file.lastIndexOf("/");
  return [file.slice(0, slash) || "/", file.slice(slash + 1)];
}

/** The name is on the disk too, as far as that can be asked for. */
async function sync(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  try {
    using opened = await Deno.open(folder);
    await opened.sync();
  } catch {
    // Who may not read the directory, or whose filesystem knows no such thing, has renamed the file all the same.
  }
}

function absent(thrown: unknown): undefined {
  if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
}
