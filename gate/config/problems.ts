/** What is wrong with a configuration: every mistake with its place, all of them at once. */
import {
  formatPath,
  isSecret,
  nearestPlace,
  type Node,
  nodeAt,
  type Path,
  type Placed,
  placeOf,
  withoutLogin,
} from "./tree.ts";
import type { Reference } from "./references.ts";

export interface Problem {
  /** `ugate.yaml:12:7`, or a file alone. */
  readonly place: string;
  /** `listeners.edge.address`; empty: the whole file. */
  readonly path: string;
  readonly message: string;
}

export function givenTwice(first: string): string {
  return `this key is given twice, first at ${first}`;
}

/** More would hide the first ones. */
const MOST_SHOWN = 100;
const MOST_LISTED = 8;
/** Reading ends there: a suggestion for each of 50,000 unknown keys would take a second. */
export const MOST_FOUND = 200;

/** `message` has a line for every problem. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  /** `references`: the files that it names, as far as they were read. */
  constructor(readonly problems: readonly Problem[], readonly references: readonly Reference[] = []) {
    const lines = problems.slice(0, MOST_SHOWN).map(formatProblem);
    if (problems.length > MOST_SHOWN) lines.push(`and ${problems.length - MOST_SHOWN} more`);
    super(lines.join("\n"));
  }
}

/** In the order of the files, and of the lines in them. */
export function byPlace(a: Problem, b: Problem): number {
  const [left, right] = [a, b].map(({ place }) => /^(.*?)(?::([0-9]+):([0-9]+))?$/.exec(place)!);
  if (left[1] !== right[1]) return left[1] < right[1] ? -1 : 1;
  return Number(left[2] ?? 0) - Number(right[2] ?? 0) || Number(left[3] ?? 0) - Number(right[3] ?? 0);
}

/** Adds a problem to others. Throws ConfigurationError with all of them where they are too many. */
export function report(problem: Problem, problems: Problem[]): void {
  if (problems.push(problem) >= MOST_FOUND) throw new ConfigurationError(problems.sort(byPlace));
}

function formatProblem({ place, path, message }: Problem): string {
  return path === "" ? `${place}: ${message}` : `${place} ${path}: ${message}`;
}

/** Collects what is found while a tree is read. Throws ConfigurationError with it where it is too much. */
export class Findings {
  readonly warnings: string[] = [];

  /** What is found is added to `problems`. */
  constructor(readonly root: Node, readonly problems: Problem[] = []) {}

  /** Whether a mistake at the path, or in what stands there, is among what was found. */
  isReported(path: Path): boolean {
    const around = formatPath(path);
    return this.problems.some((problem) => {
      return problem.path.startsWith(around) && /^(?:$|[.[])/.test(problem.path.slice(around.length));
    });
  }

  /** `ugate.yaml:12:5 routes[3]` */
  locate(path: Path): string {
    return `${placeOf(nearestPlace(this.root, path))} ${formatPath(path)}`;
  }

  error(path: Path, message: string): void {
    this.#add(nearestPlace(this.root, path), path, message);
  }

  /** The mistake is the key itself. */
  errorAtKey(path: Path, message: string): void {
    const around = nodeAt(this.root, path.slice(0, -1));
    const key = around?.kind === "map" ? around.entries.get(String(path.at(-1)))?.key : undefined;
    this.#add(key ?? nearestPlace(this.root, path), path, message);
  }

  /** The path of an item of what may be one thing or a list of them. */
  item(path: Path, i: number): Path {
    return nodeAt(this.root, path)?.kind === "list" ? [...path, i] : path;
  }

  /** Something else stands here; `part` is the wrong part of the text, where it is not the whole. */
  expected(path: Path, expected: string, part?: string): void {
    this.error(path, `expected ${expected}, got ${this.written(path, part)}`);
  }

  /** Beyond MOST_FOUND a warning is dropped. */
  warn(path: Path, message: string): void {
    if (this.warnings.length < MOST_FOUND) this.warnings.push(`${this.locate(path)}: ${message}`);
  }

  /** Whether the text at the path may be repeated as it is: it has no secret, and is not the environment's. */
  isShown(path: Path): boolean {
    const node = nodeAt(this.root, path);
    return node?.kind === "scalar" && node.raw === node.text && !isSecret(path);
  }

  /** What stands at the path, for a sentence: never a secret, and `${NAME}` as it is. */
  written(path: Path, part?: string): string {
    const node = nodeAt(this.root, path);
    if (node === undefined || (node.kind === "scalar" && node.raw === null)) return "nothing";
    if (node.kind !== "scalar") return node.kind === "map" ? "a map" : "a list";
    if (node.text === "" && node.raw !== "") return `nothing from ${quoted(node.raw!)}`; // variables alone
    if (isSecret(path) || node.text?.includes("-----BEGIN ")) return "a text that is not shown";
    const text = (node.raw === node.text ? part : undefined) ?? node.raw!;
    return /^[0-9]{1,20}$/.test(text) ? text : quoted(withoutLogin(text));
  }

  #add(at: Placed, path: Path, message: string): void {
    report({ place: placeOf(at), path: formatPath(path), message }, this.problems);
  }
}

/** Names inside a sentence: the first of them. */
export function listed(names: readonly string[]): string {
  const rest = names.length - MOST_LISTED;
  return names.slice(0, MOST_LISTED).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** A text from outside inside a sentence: one line, at most 60 characters of it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
