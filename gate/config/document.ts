/** YAML into trees: values that know their place, aliases as what they stand for. */
import {
  type Alias,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  type Node as YamlNode,
  Scalar as YamlScalar,
  type YAMLMap,
} from "yaml";
import { type Environment, substitute } from "./environment.ts";
import { MOST_BYTES, TOO_LARGE } from "./files.ts";
import { givenTwice, MOST_FOUND, type Problem } from "./problems.ts";
import { type Entry, formatPath, type Node, type Path, type Source } from "./tree.ts";
import { DEEPEST, readYaml, TOO_DEEP } from "./yaml.ts";

/** What aliases stand for, counted wherever they stand. */
const MOST_VALUES = 200_000;

/** The tree of one file; undefined: it is no tree, and `problems` says why. */
export function readTree(
  file: string,
  text: string,
  env: Environment,
  problems: Problem[],
): Node | undefined {
  const refuse = (message: string) => void problems.push({ place: file, path: "", message });
  if (text.length > MOST_BYTES) return refuse(TOO_LARGE);
  const reading = readYaml(text);
  if ("faults" in reading) {
    for (const { message, at } of reading.faults) {
      problems.push({ place: at ? `${file}:${at.line}:${at.col}` : file, path: "", message });
    }
    return undefined;
  }
  const { contents, lines } = reading;
  if (contents === null) return refuse("the file is empty");
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  return new Builder({ file, place }, env, problems).build(contents);
}

interface Built {
  readonly node: Node;
  /** Values in it, aliases counted as what they stand for. */
  readonly size: number;
  readonly depth: number;
}

/** Turns the parser's nodes into ours; an alias becomes the node it names, which thus is there once. */
class Builder {
  readonly #anchors = new Map<string, Built>();
  /** Of too much, or too many mistakes: what follows is not looked at. */
  #stopped = false;

  constructor(readonly source: Source, readonly env: Environment, readonly problems: Problem[]) {}

  build(root: YamlNode): Node | undefined {
    const { node } = this.#node(root, 0, []);
    return this.#stopped ? undefined : node;
  }

  #node(yaml: unknown, around: number, path: Path): Built {
    const at = offsetOf(yaml) ?? around;
    if (this.#stopped) return this.#leaf(at, null, undefined);
    if (isAlias(yaml)) return this.#alias(yaml, at, path);
    const built = isMap(yaml)
      ? this.#map(yaml, at, path)
      : isCollection(yaml)
      ? this.#list(yaml.items, at, path)
      : this.#scalar(yaml, at, path);
    if (built.size > MOST_VALUES || built.depth > DEEPEST) {
      this.#report(at, path, built.depth > DEEPEST ? TOO_DEEP : "aliases stand for too many values");
      this.#stopped = true;
    }
    const anchor = isScalar(yaml) || isCollection(yaml) ? yaml.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, built);
    return built;
  }

  #alias(alias: Alias, at: number, path: Path): Built {
    const built = this.#anchors.get(alias.source);
    if (built) return built;
    this.#report(at, path, 'an alias without an anchor before it (a pattern needs quotes: "*.example.com")');
    return this.#leaf(at, null, undefined);
  }

  #list(items: readonly unknown[], at: number, path: Path): Built {
    const built = items.map((item, i) => this.#node(item, at, [...path, i]));
    return sum(
      { kind: "list", items: built.map(({ node }) => node), source: this.source, offset: at },
      built,
    );
  }

  #map(map: YAMLMap, at: number, path: Path): Built {
    const entries = new Map<string, Entry>();
    const values: Built[] = [];
    for (const pair of map.items) {
      const offset = offsetOf(pair.key) ?? at;
      const key = keyText(pair.key);
      const inside = key === undefined ? path : [...path, key];
      const value = this.#node(pair.value, offset, inside);
      values.push(value);
      const twice = key === undefined ? undefined : entries.get(key);
      if (key === undefined) this.#report(offset, path, "expected a text as key");
      else if (twice) this.#report(offset, inside, givenTwice(this.source.place(twice.key.offset)));
      else entries.set(key, { key: { source: this.source, offset }, value: value.node });
    }
    return sum({ kind: "map", entries, source: this.source, offset: at }, values);
  }

  #scalar(yaml: unknown, at: number, path: Path): Built {
    const raw = isScalar(yaml) ? scalarText(yaml) : null;
    if (raw === null || !raw.includes("${")) return this.#leaf(at, raw, raw);
    const replaced = substitute(raw, this.env);
    if ("text" in replaced) return this.#leaf(at, raw, replaced.text);
    this.#report(at, path, replaced.mistake);
    return this.#leaf(at, raw, undefined);
  }

  #leaf(offset: number, raw: string | null, text: string | null | undefined): Built {
    return { node: { kind: "scalar", raw, text, source: this.source, offset }, size: 1, depth: 1 };
  }

  #report(offset: number, path: Path, message: string): void {
    if (this.#stopped) return;
    this.problems.push({ place: this.source.place(offset), path: formatPath(path), message });
    if (this.problems.length >= MOST_FOUND) this.#stopped = true;
  }
}

function sum(node: Node, parts: readonly Built[]): Built {
  const built = { node, size: 1, depth: 1 };
  for (const { size, depth } of parts) {
    built.size += size;
    built.depth = Math.max(built.depth, depth + 1);
  }
  return built;
}

function offsetOf(yaml: unknown): number | undefined {
  return isScalar(yaml) || isCollection(yaml) || isAlias(yaml) ? yaml.range?.[0] : undefined;
}

/** `__proto__` is no key of ours, and a trap for every table. */
function keyText(key: unknown): string | undefined {
  const text = isScalar(key) ? scalarText(key) : undefined;
  return text === null || text === "__proto__" ? undefined : text;
}

/** A plain scalar as it was written, so that 0123 stays 0123; null: nothing. */
function scalarText(scalar: YamlScalar): string | null {
  if (scalar.value === null) return null;
  return scalar.type === YamlScalar.PLAIN && scalar.source !== undefined
    ? scalar.source
    : String(scalar.value);
}
