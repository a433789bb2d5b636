/** YAML into trees. Bounded: what a parser would spend seconds on is refused unparsed. */
import {
  type Alias,
  type ErrorCode,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  Lexer,
  LineCounter,
  type Node as YamlNode,
  parseDocument,
  Scalar as YamlScalar,
  type YAMLMap,
} from "yaml";
import { type Environment, substitute } from "./environment.ts";
import { MOST_BYTES, TOO_LARGE } from "./files.ts";
import { givenTwice, type Problem } from "./problems.ts";
import { type Entry, formatPath, type Node, type Path, type Source } from "./tree.ts";

const MOST_TOKENS = 200_000;
/** What aliases stand for, counted wherever they stand. */
const MOST_VALUES = 200_000;
const DEEPEST = 32;
const TOO_DEEP = `nested more than ${DEEPEST} deep`;
/** A broken file breaks the same way again and again. */
const MOST_SYNTAX_PROBLEMS = 20;

/** In our words: the parser's repeat what is written, and that may be a password. */
const SYNTAX: Record<ErrorCode, string> = {
  ALIAS_PROPS: "an alias takes no tag and no anchor of its own",
  BAD_ALIAS: "an alias or anchor without a right name",
  BAD_COLLECTION_TYPE: "a tag that does not fit what it stands at",
  BAD_DIRECTIVE: "a directive that YAML does not know",
  BAD_DQ_ESCAPE: "an escape that double quotes do not know (single quotes take backslashes as they are)",
  BAD_INDENT: "the indentation does not fit what is around it, or a brace or bracket is missing",
  BAD_PROP_ORDER: "an anchor or tag in the wrong place",
  BAD_SCALAR_START: "a text that begins with this character needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a list or map inside one line needs brackets or braces",
  BLOCK_IN_FLOW: "a list or map of lines cannot stand inside brackets or braces",
  DUPLICATE_KEY: "this key is given twice",
  IMPOSSIBLE: "not YAML",
  KEY_OVER_1024_CHARS: "a key of more than 1024 characters",
  MISSING_CHAR: "a character is missing: a comma, colon, space, closing quote, bracket or brace",
  MULTILINE_IMPLICIT_KEY: "a key goes over several lines",
  MULTIPLE_ANCHORS: "more than one anchor",
  MULTIPLE_DOCS: "expected one YAML document, got another after ---",
  MULTIPLE_TAGS: "more than one tag",
  NON_STRING_KEY: "expected a text as key",
  RESOURCE_EXHAUSTION: "nested too deep",
  TAB_AS_INDENT: "a tab indents here: YAML takes spaces alone",
  TAG_RESOLVE_FAILED: "a tag (a word after !) is not used here; a text that begins with ! needs quotes",
  UNEXPECTED_TOKEN: "not expected here: a quote, bracket or indentation before it may be missing",
};

/** The tree of one file; undefined: it is no tree, and `problems` says why. */
export function readTree(
  file: string,
  text: string,
  env: Environment,
  problems: Problem[],
): Node | undefined {
  const refuse = (message: string) => void problems.push({ place: file, path: "", message });
  if (text.length > MOST_BYTES) return refuse(TOO_LARGE);
  const excess = excessOf(text);
  if (excess) return refuse(excess);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false, // the parser compares every key with every other
    logLevel: "error",
  });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  for (const { code, pos } of faults.slice(0, MOST_SYNTAX_PROBLEMS)) {
    problems.push({ place: place(pos[0]), path: "", message: SYNTAX[code] });
  }
  if (faults.length > 0) return undefined;
  if (document.contents === null) return refuse("the file is empty");
  return new Builder({ file, place }, env, problems).build(document.contents);
}

/** What the parser would take too long for; its lexer is quick with anything. */
function excessOf(text: string): string | undefined {
  let tokens = 0, depth = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > DEEPEST) return TOO_DEEP;
    if (++tokens > MOST_TOKENS) return `expected at most ${MOST_TOKENS} words and signs, got more`;
  }
  return undefined;
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
  #stopped = false;

  constructor(readonly source: Source, readonly env: Environment, readonly problems: Problem[]) {}

  build(root: YamlNode): Node | undefined {
    const { node } = this.#node(root, 0, []);
    return this.#stopped ? undefined : node;
  }

  #node(yaml: unknown, around: number, path: Path): Built {
    const at = offsetOf(yaml) ?? around;
    if (isAlias(yaml)) return this.#alias(yaml, at, path);
    const built = isMap(yaml)
      ? this.#map(yaml, at, path)
      : isCollection(yaml)
      ? this.#list(yaml.items, at, path)
      : this.#scalar(yaml, at, path);
    if ((built.size > MOST_VALUES || built.depth > DEEPEST) && !this.#stopped) {
      this.#stopped = true;
      const what = built.depth > DEEPEST ? TOO_DEEP : "aliases stand for too many values";
      this.#report(at, path, what);
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
    this.problems.push({ place: this.source.place(offset), path: formatPath(path), message });
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
