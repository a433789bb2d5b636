/**
 * What decides what is read at a path: every symbolic link on the way, the file at its end, a directory's files. The
 * trace changes when one of them does; nothing is opened but directories.
 */
import { isPart, MOST_FILES } from "./files.ts";

/** As many as the kernel follows. */
const MOST_LINKS = 40;

export interface Trace {
  /** Equal while nothing changed, as far as times, sizes and inodes tell. */
  readonly stamp: string;
  /** Directories in which a change would be seen, none of them behind a link, each with which one it is. */
  readonly directories: ReadonlyMap<string, string>;
}

/** Never throws: what cannot be looked at is part of the trace. */
export async function trace(paths: readonly string[]): Promise<Trace> {
  const walk = new Walk();
  for (const path of paths) {
    const directory = await walk.follow(path);
    if (directory === undefined) continue;
    await walk.identify(directory);
    await walk.list(directory);
  }
  return { stamp: walk.stamps.join("\n"), directories: walk.directories };
}

class Walk {
  readonly stamps: string[] = [];
  readonly directories = new Map<string, string>();
  /** Many paths share their first half. */
  readonly #looked = new Map<string, Deno.FileInfo | string>();

  /** Notes what lies on the way; a path that leads to a directory answers it, without links ("" is the root). */
  async follow(path: string): Promise<string | undefined> {
    const rest = path.split("/").reverse();
    let at = "", links = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const here = `${at}/${name}`, found = await this.#look(here);
      if (typeof found !== "string" && found.isDirectory) {
        at = here;
        continue;
      }
      await this.#note(at, `${here} ${describe(found)}`);
      if (typeof found === "string" || !found.isSymlink || ++links > MOST_LINKS) return undefined;
      const target = await Deno.readLink(here).catch(() => "");
      if (target.startsWith("/")) at = "";
      rest.push(...target.split("/").reverse());
    }
    return at;
  }

  /** Notes which one this directory is: another one in its place is seen in the one around it. */
  async identify(directory: string): Promise<void> {
    const found = await this.#look(directory || "/");
    const which = typeof found === "string" ? found : `${found.dev}:${found.ino}`;
    await this.#note(directory.slice(0, Math.max(0, directory.lastIndexOf("/"))), `${directory} is ${which}`);
  }

  /** Notes the files of a directory that belong to the configuration. */
  async list(directory: string): Promise<void> {
    const names: string[] = [];
    try {
      for await (const entry of Deno.readDir(directory || "/")) {
        if (isPart(entry) && names.push(entry.name) > MOST_FILES) break; // refused anyway
      }
    } catch (fault) {
      names.length = 0;
      this.stamps.push(`${directory} ${faultName(fault)}`);
    }
    await this.#note(directory, `${directory} ${names.length}`);
    for (const name of names.sort()) await this.follow(`${directory}/${name}`);
  }

  async #note(directory: string, stamp: string): Promise<void> {
    this.stamps.push(stamp);
    const found = await this.#look(directory || "/");
    this.directories.set(directory || "/", typeof found === "string" ? found : `${found.dev}:${found.ino}`);
  }

  async #look(path: string): Promise<Deno.FileInfo | string> {
    const known = this.#looked.get(path);
    if (known !== undefined) return known;
    const found = await Deno.lstat(path).catch(faultName);
    this.#looked.set(path, found);
    return found;
  }
}

const faultName = (fault: unknown): string => fault instanceof Error ? fault.name : String(fault);

/** A pipe's times tell nothing. */
function describe(found: Deno.FileInfo | string): string {
  if (typeof found === "string") return found;
  if (!found.isFile && !found.isSymlink) return "no file";
  const { dev, ino, size, mtime, ctime } = found;
  return `${dev}:${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
}
