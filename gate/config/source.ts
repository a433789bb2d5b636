/** Where a running gate's configuration is, and whether it is another one there than the gate has read. */
import type { Environment } from "./environment.ts";
import { type ConfigurationText, findPlace, type Place, type Places, placesOf, readPlace } from "./files.ts";
import { ConfigurationError } from "./problems.ts";
import { type Reference, stillThere } from "./references.ts";

/**
 * Once something was read at a place, this place it stays: when the file there is gone, that is an error, and no reason
 * to go on with another file or with the default. Where nothing was, the next read looks again.
 */
export class ConfigurationSource {
  #places: Places;
  #last: Result;
  #references: readonly Reference[] = [];
  #wasRead = false;
  #spent = false;

  constructor(path: string | undefined, env: Environment) {
    this.#places = placesOf(path, env);
  }

  /** The absolute paths at which the next read looks; the first that is there counts. */
  get paths(): readonly string[] {
    return this.#places.paths.map(absolute);
  }

  /** Everything whose change may mean another configuration. */
  get watched(): readonly string[] {
    return [...this.paths, ...this.#references.map(({ path }) => path)];
  }

  /** What was read is only the same while these files are, too. */
  attend(references: readonly Reference[]): void {
    this.#references = references;
  }

  /** What read() answered last: none where it threw. */
  get texts(): readonly ConfigurationText[] {
    return Array.isArray(this.#last) ? this.#last : [];
  }

  /** The texts of the first place that is there; undefined: at none of them. Throws ConfigurationError. */
  async read(): Promise<ConfigurationText[] | undefined> {
    this.#last = await this.#look((place) => {
      this.#places = { paths: [place.path], optional: false };
      if (this.#spent) throw new ConfigurationError([{ ...SPENT, place: place.path }]);
      if (this.#wasRead && isStream(place)) {
        throw new ConfigurationError([{ ...REPLACED, place: place.path }]);
      }
      this.#wasRead = true;
      this.#spent = isStream(place);
      return readPlace(place);
    });
    if (this.#last instanceof ConfigurationError) throw this.#last;
    return this.#last;
  }

  /** Whether read() would now give, or say, something else than it did. What can be read only once never differs. */
  async differs(): Promise<boolean> {
    if (!await stillThere(this.#references)) return true;
    return !this.#spent && !same(await this.#now(), this.#last);
  }

  /** Whether nothing is there but what read() answered last, or these texts. */
  async isKnown(texts: readonly ConfigurationText[]): Promise<boolean> {
    if (this.#spent) return true;
    const now = await this.#now();
    return same(now, this.#last) || same(now, [...texts]);
  }

  #now(): Promise<Result> {
    return this.#look((place) => {
      if (isStream(place)) throw new ConfigurationError([{ ...REPLACED, place: place.path }]);
      return readPlace(place);
    });
  }

  async #look(read: (place: Place) => Promise<ConfigurationText[]>): Promise<Result> {
    try {
      const place = await findPlace(this.#places);
      return place && await read(place);
    } catch (thrown) {
      if (thrown instanceof ConfigurationError) return thrown;
      throw thrown;
    }
  }
}

/** undefined: nothing was there, or nobody has looked. */
type Result = ConfigurationText[] | ConfigurationError | undefined;

function same(one: Result, other: Result): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) {
    return one === other || (one instanceof Error && other instanceof Error && one.message === other.message);
  }
  return one.length === other.length &&
    one.every(({ file, text }, i) => absolute(file) === absolute(other[i].file) && text === other[i].text);
}

/** Opening it would wait until somebody writes there. */
const REPLACED = { path: "", message: "Cannot read: it was a file, and is a pipe or a device now" };
const SPENT = { path: "", message: "Cannot read again: what came from a pipe is gone" };

/** As `-c <(...)` and /dev/stdin have it. */
const isStream = ({ info }: Place): boolean => !info.isFile && !info.isDirectory;

/**
 * One spelling for each path, from wherever it is said: no `.`, no `..`, no slash too many. A file beside a directory
 * that is gone is no file any more, wherever that is looked for.
 */
export function absolute(path: string): string {
  const steps: string[] = [];
  for (const step of (path.startsWith("/") ? path : `${workingDirectory()}/${path}`).split("/")) {
    if (step === "" || step === ".") continue;
    if (step !== ".." || leadsElsewhere(steps)) steps.push(step);
    else steps.pop();
  }
  return `/${steps.join("/")}`;
}

function workingDirectory(): string {
  try {
    return Deno.cwd();
  } catch {
    return "";
  }
}

/** Behind a symbolic link, `..` is not where the link is. */
function leadsElsewhere(steps: readonly string[]): boolean {
  if (steps.length === 0) return false;
  try {
    return steps.at(-1) === ".." || Deno.lstatSync(`/${steps.join("/")}`).isSymlink;
  } catch {
    return false;
  }
}
