/** The files a configuration is made of. Reading is bounded: nothing of any size or kind takes all memory. */
import { ConfigurationError } from "./problems.ts";
import type { Environment } from "./environment.ts";

export interface ConfigurationText {
  /** As it is shown. */
  readonly file: string;
  readonly text: string;
  /** The file from whose directory relative paths are, where that is another one. */
  readonly base?: string;
}

/** Whether two readings gave the same names and texts. */
export const sameTexts = (a: readonly ConfigurationText[], b: readonly ConfigurationText[]): boolean =>
  a.length === b.length && a.every(({ file, text }, i) => file === b[i].file && text === b[i].text);

const DEFAULT_FILES = ["ugate.yaml", "/etc/ugate/ugate.yaml"];
/** Of all files together; some 8,000 routes, which a slow machine reads in a second. */
export const MOST_BYTES = 1024 * 1024;
export const TOO_LARGE = "expected at most 1 MiB of configuration";
export const MOST_FILES = 256;

/** Where a configuration is looked for: the first of these that is there. */
export interface Places {
  readonly paths: readonly string[];
  /** Whether it may be at none of them: nobody named one. */
  readonly optional: boolean;
}

/** `path`, else `$UGATE_CONFIG`, else ./ugate.yaml or /etc/ugate/ugate.yaml. */
export function placesOf(path: string | undefined, env: Environment): Places {
  const named = path ?? (env.get("UGATE_CONFIG") || undefined);
  return { paths: named === undefined ? DEFAULT_FILES : [named], optional: named === undefined };
}

/** A place where something is. */
export interface Place {
  readonly path: string;
  readonly info: Deno.FileInfo;
}

/** undefined: at none of them, where that is allowed. Throws ConfigurationError. */
export async function findPlace({ paths, optional }: Places): Promise<Place | undefined> {
  for (const path of paths) {
    const info = await Deno.stat(path).catch((fault) => {
      if (optional && fault instanceof Deno.errors.NotFound) return undefined;
      throw unreadable(path, fault);
    });
    if (info) return { path, info };
  }
  return undefined;
}

/** The file, or a directory's `*.yaml` in the order of their names. Throws ConfigurationError. */
export async function readPlace({ path, info }: Place): Promise<ConfigurationText[]> {
  return info.isDirectory ? await readDirectory(path) : [await readText(path)];
}

/** What is at the first place that is there; undefined: at none of them. Throws ConfigurationError. */
export async function readFiles(
  path: string | undefined,
  env: Environment,
): Promise<ConfigurationText[] | undefined> {
  const place = await findPlace(placesOf(path, env));
  return place && await readPlace(place);
}

/** Whether this entry of a directory belongs to the configuration. */
export function isPart({ name, isDirectory }: Deno.DirEntry): boolean {
  return !isDirectory && name.endsWith(".yaml") && !name.startsWith(".");
}

/** Symbolic links are followed, hidden names left out: Kubernetes keeps its generations in `..data`. */
async function readDirectory(directory: string): Promise<ConfigurationText[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) if (isPart(entry)) names.push(entry.name);
  } catch (fault) {
    throw unreadable(directory, fault);
  }
  if (names.length === 0) throw refusal(directory, "this directory has no *.yaml");
  if (names.length > MOST_FILES) {
    throw refusal(directory, `expected at most ${MOST_FILES} *.yaml, got ${names.length}`);
  }
  const prefix = directory.replace(/\/+$/, "");
  const texts: ConfigurationText[] = [];
  for (const name of names.sort()) texts.push(await readRegular(`${prefix}/${name}`));
  return texts;
}

/** A pipe would be waited for until somebody writes to it, and a device may never end. */
async function readRegular(file: string): Promise<ConfigurationText> {
  const { isFile } = await Deno.stat(file).catch((fault) => {
    throw unreadable(file, fault);
  });
  if (!isFile) throw refusal(file, "expected a file, or a link to one");
  return await readText(file);
}

async function readText(file: string): Promise<ConfigurationText> {
  const bytes = await readBytes(file).catch((fault) => {
    throw unreadable(file, fault);
  });
  if (bytes.length > MOST_BYTES) throw refusal(file, TOO_LARGE);
  try {
    return { file, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw refusal(file, "expected UTF-8 text");
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  using opened = await Deno.open(file);
  const bytes = new Uint8Array(MOST_BYTES + 1);
  let size = 0;
  while (size < bytes.length) {
    const read = await opened.read(bytes.subarray(size));
    if (read === null) break;
    size += read;
  }
  return bytes.subarray(0, size);
}

function unreadable(file: string, fault: unknown): ConfigurationError {
  const reason = fault instanceof Deno.errors.NotFound
    ? "there is no such file"
    : fault instanceof Deno.errors.PermissionDenied
    ? "this user may not read it"
    : String(fault instanceof Error ? fault.message : fault);
  return refusal(file, `Cannot read: ${reason}`);
}

function refusal(file: string, message: string): ConfigurationError {
  return new ConfigurationError([{ place: file, path: "", message }]);
}
