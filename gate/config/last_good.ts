/**
 * The last configuration that worked, as it was written: `${NAME}` is not replaced in it, but it may hold passwords, so
 * nobody else may read it. A start asks for it by `--last-good` when what is on disk is broken.
 */
import { type Failure, GateError } from "../errors.ts";
import { type ConfigurationText, MOST_BYTES } from "./files.ts";
import { absolute } from "./source.ts";

const NAME = "last-good.json";
/** Raised when what it holds changes its meaning. */
const FORMAT = "ugate last-good 1";
/** JSON spells a byte in up to six, and there are names besides. */
const MOST_STORED = 8 * MOST_BYTES;
/** Bits of a mode: the group and everybody else may write. */
const OTHERS_WRITE = 0o022;

interface Stored {
  readonly format: typeof FORMAT;
  /** The absolute path of the configuration: gates that share a state directory are not to start each other's. */
  readonly place: string;
  readonly files: readonly ConfigurationText[];
}

export class LastGood {
  readonly path: string;
  readonly #directory: string;
  readonly #place: string;
  readonly #temporary: string;

  /** `state`: node.state, which need not be there yet. `place`: the configuration's absolute path. */
  constructor(state: string, place: string) {
    this.#directory = state;
    this.#place = place;
    this.path = `${state}/${NAME}`;
    this.#temporary = `${this.path}.${Deno.pid}.new`;
  }

  /**
   * Puts these in the place of those before; whoever reads, or starts after a loss of power, finds the one or the
   * other whole. Not while another write goes on. Rejects with GateError where the state directory cannot be written.
   */
  async write(texts: readonly ConfigurationText[]): Promise<void> {
    const files = texts.map(({ file, text }) => ({ file: absolute(file), text }));
    const stored: Stored = { format: FORMAT, place: this.#place, files };
    await this.#replace(new TextEncoder().encode(JSON.stringify(stored)));
  }

  /**
   * Files with their absolute paths; undefined: nothing is kept. Rejects with GateError for what cannot be read, what
   * others may have written, and what is another configuration's.
   */
  async read(): Promise<ConfigurationText[] | undefined> {
    try {
      const { place, files } = this.#parse(await this.#readStored());
      if (place === this.#place) return files.map(({ file, text }) => ({ file, text }));
      throw this.#cannot(
        "malformed",
        `it is of ${place}, not of ${this.#place} (one node.state for each gate)`,
      );
    } catch (fault) {
      if (fault instanceof Deno.errors.NotFound) return undefined;
      if (fault instanceof GateError) throw fault;
      throw this.#cannot("internal", reasonOf(fault), fault);
    }
  }

  async #readStored(): Promise<string> {
    using file = await Deno.open(this.path);
    const { isFile, size, mode, uid } = await file.stat();
    if (!isFile || size > MOST_STORED) throw this.#cannot("malformed", FOREIGN);
    if ((mode ?? 0) & OTHERS_WRITE || (uid !== Deno.uid() && uid !== 0)) {
      throw this.#cannot("denied", "others than this user may have written it");
    }
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const read = await file.read(bytes.subarray(at));
      if (read === null) break;
      at += read;
    }
    return new TextDecoder().decode(bytes);
  }

  async #replace(bytes: Uint8Array): Promise<void> {
    try {
      await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await this.#writeTemporary(bytes);
      await Deno.rename(this.#temporary, this.path);
    } catch (fault) {
      await Deno.remove(this.#temporary).catch(() => {}); // it may never have been made
      throw new GateError("internal", "gate", `Cannot write ${this.path}: ${reasonOf(fault)}`, fault);
    }
    await this.#syncDirectory().catch(() => {}); // some filesystems know no such thing: the name is there all the same
  }

  async #syncDirectory(): Promise<void> {
    using directory = await Deno.open(this.#directory);
    await directory.sync();
  }

  /** It is there whole before it gets its name. */
  async #writeTemporary(bytes: Uint8Array): Promise<void> {
    await Deno.remove(this.#temporary).catch(() => {}); // of a gate with this number that was killed
    using file = await Deno.open(this.#temporary, { write: true, createNew: true, mode: 0o600 });
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }

  #parse(text: string): Stored {
    let stored: unknown;
    try {
      stored = JSON.parse(text);
    } catch {
      stored = undefined; // what the parser says repeats the text, and that may be a password
    }
    if (!isStored(stored)) throw this.#cannot("malformed", FOREIGN);
    return stored;
  }

  #cannot(failure: Failure, state: string, cause?: unknown): GateError {
    return new GateError(failure, "gate", `Cannot read ${this.path}: ${state}`, cause);
  }
}

const FOREIGN = "it is damaged, or another version of ugate wrote it";

function isStored(value: unknown): value is Stored {
  return isRecord(value) && value.format === FORMAT && typeof value.place === "string" &&
    Array.isArray(value.files) && value.files.length > 0 &&
    value.files.every((one) => isRecord(one) && typeof one.file === "string" && typeof one.text === "string");
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

function reasonOf(fault: unknown): string {
  if (fault instanceof Deno.errors.PermissionDenied) return "this user may not";
  return fault instanceof Error ? fault.message : String(fault);
}
