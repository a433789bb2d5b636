/**
 * The last configuration that worked, as it was written: `${NAME}` is not replaced in it, but it may hold passwords, so
 * nobody else may read it. A start asks for it by `--last-good` when what is on disk is broken.
 */
import { createHash } from "node:crypto";
import { FOREIGN, readPrivate, unreadable, writePrivate } from "../private_file.ts";
import { type ConfigurationText, MOST_BYTES } from "./files.ts";
import { absolute } from "./source.ts";

const FOLDER = "last-good", ENDING = ".json";
/** Gates may share a state directory: what is kept of more configurations than these goes, the oldest first. */
const MOST_KEPT = 16;
/** Raised when what it holds changes its meaning. */
const FORMAT = "ugate last-good 1";
/** JSON spells a byte in up to six, and there are names besides. */
const MOST_STORED = 8 * MOST_BYTES;

interface Stored {
  readonly format: typeof FORMAT;
  /** The absolute path of the configuration. */
  readonly place: string;
  readonly files: readonly ConfigurationText[];
}

export class LastGood {
  readonly path: string;
  readonly #folder: string;
  readonly #place: string;

  /** `state`: node.state, which need not be there yet. `place`: the configuration's absolute path. */
  constructor(state: string, place: string) {
    this.#place = place;
    this.#folder = `${state}/${FOLDER}`;
    this.path = `${this.#folder}/${createHash("sha256").update(place).digest("hex").slice(0, 16)}${ENDING}`;
  }

  /** Puts these in the place of those before, as writePrivate does. */
  async write(texts: readonly ConfigurationText[]): Promise<void> {
    const files = texts.map(({ file, text }) => ({ file: absolute(file), text }));
    const stored: Stored = { format: FORMAT, place: this.#place, files };
    await writePrivate(this.path, new TextEncoder().encode(JSON.stringify(stored)));
    await this.#forgetOldest().catch(() => {}); // there is room for more, and another gate may do the same now
  }

  async #forgetOldest(): Promise<void> {
    const kept: { path: string; at: number }[] = [];
    for await (const { name } of Deno.readDir(this.#folder)) {
      const path = `${this.#folder}/${name}`;
      if (path === this.path || !name.endsWith(ENDING)) continue; // one that another gate writes now has no name yet
      kept.push({ path, at: (await Deno.lstat(path)).mtime?.getTime() ?? 0 });
    }
    kept.sort((a, b) => b.at - a.at);
    for (const { path } of kept.slice(MOST_KEPT - 1)) await Deno.remove(path);
  }

  /**
   * Files with their absolute paths; undefined: nothing is kept. Rejects with GateError for what cannot be read, what
   * others may have written, and what is another configuration's.
   */
  async read(): Promise<ConfigurationText[] | undefined> {
    const text = await readPrivate(this.path, MOST_STORED);
    if (text === undefined) return undefined;
    const { place, files } = this.#parse(text);
    if (place === this.#place) return files.map(({ file, text }) => ({ file, text }));
    const state = `it is of ${place}, not of ${this.#place}`;
    throw unreadable(this.path, "malformed", state);
  }

  #parse(text: string): Stored {
    let stored: unknown;
    try {
      stored = JSON.parse(text);
    } catch {
      stored = undefined; // what the parser says repeats the text, and that may be a password
    }
    if (!isStored(stored)) throw unreadable(this.path, "malformed", FOREIGN);
    return stored;
  }
}

function isStored(value: unknown): value is Stored {
  return isRecord(value) && value.format === FORMAT && typeof value.place === "string" &&
    Array.isArray(value.files) && value.files.length > 0 &&
    value.files.every((one) => isRecord(one) && typeof one.file === "string" && typeof one.text === "string");
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
