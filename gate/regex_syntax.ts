/**
 * The regular expressions of routes, as trees. The syntax is what can be decided in one pass over a text: that of
 * JavaScript without backreferences, lookaround and word boundaries, and strict where a sign may be meant as itself.
 */
import { normalSpelling, UNSAFE } from "./path_spelling.ts";

/** Which characters may stand somewhere: 1 at the code of each; OTHER stands for all that are not ASCII. */
export type CharSet = Uint8Array;
export const OTHER = 128;

export type Tree =
  /** One character of the set. */
  | { readonly kind: "one"; readonly set: CharSet }
  /** `^`, `$` */
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  /** One behind the other. */
  | { readonly kind: "all"; readonly parts: readonly Tree[] }
  /** Any one of them. */
  | { readonly kind: "any"; readonly parts: readonly Tree[] }
  | { readonly kind: "repeat"; readonly part: Tree; readonly least: number; readonly most: number };

/** Why a text is no regular expression; `column` counts its characters from 1. */
export class RegexError extends Error {
  override readonly name = "RegexError";
  constructor(readonly column: number, readonly state: string) {
    super(`Cannot read a regular expression: column ${column} ${state}`);
  }
}

const LONGEST = 1000;
const DEEPEST = 50;
const BOUNDS = /\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}/y;
const SIMPLE_BOUNDS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  "*": [0, Infinity],
  "+": [1, Infinity],
  "?": [0, 1],
};
const WHITESPACE = "\t\n\v\f\r ";
const NEWLINES = "\n\r";

const DIGITS = setOf((code) => code >= 0x30 && code <= 0x39);
const WORD = setOf((code) => code < OTHER && /\w/.test(String.fromCharCode(code)));
const SPACE = setOf((code) => code < OTHER && WHITESPACE.includes(String.fromCharCode(code)));
const ANY = setOf((code) => code === OTHER || !NEWLINES.includes(String.fromCharCode(code)));
const LITERALS = Array.from({ length: OTHER }, (_, literal) => setOf((code) => code === literal));
const ESCAPED_SETS: Readonly<Record<string, CharSet>> = {
  d: DIGITS,
  D: inverse(DIGITS),
  w: WORD,
  W: inverse(WORD),
  s: SPACE,
  S: inverse(SPACE),
};

/** Throws RegexError. */
export function parseRegex(text: string): Tree {
  if (text.length > LONGEST) throw new RegexError(LONGEST + 1, `is behind the end: ${LONGEST} are the most`);
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Tree {
    const tree = this.#alternatives();
    if (this.#at < this.#text.length) throw this.#mistake("has a ) without its (");
    return tree;
  }

  #alternatives(): Tree {
    const parts = [this.#sequence()];
    while (this.#takes("|")) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0] : { kind: "any", parts };
  }

  #sequence(): Tree {
    const parts: Tree[] = [];
    while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at])) parts.push(this.#repeated());
    return parts.length === 1 ? parts[0] : { kind: "all", parts };
  }

  #repeated(): Tree {
    const part = this.#atom(), at = this.#at, bounds = this.#bounds();
    if (!bounds) return part;
    if (part.kind === "start" || part.kind === "end") throw this.#mistake("repeats no character", at);
    this.#takes("?"); // lazy: which way is tried first says nothing of whether there is one
    return { kind: "repeat", part, least: bounds[0], most: bounds[1] };
  }

  #bounds(): readonly [least: number, most: number] | undefined {
    const at = this.#at, simple = SIMPLE_BOUNDS[this.#text[at]];
    if (simple) {
      this.#at++;
      return simple;
    }
    if (this.#text[at] !== "{") return undefined;
    BOUNDS.lastIndex = at;
    const [whole, least, comma, most] = BOUNDS.exec(this.#text) ?? [];
    if (whole === undefined) throw this.#mistake("has a { that begins no repetition: write \\{");
    this.#at += whole.length;
    const bounds = [Number(least), comma ? most ? Number(most) : Infinity : Number(least)] as const;
    if (bounds[0] > bounds[1]) throw this.#mistake("repeats from more to less", at);
    return bounds;
  }

  #atom(): Tree {
    const at = this.#at, sign = this.#next();
    if (sign === "(") return this.#group(at);
    if (sign === "[") return { kind: "one", set: this.#class(at) };
    if (sign === ".") return { kind: "one", set: ANY };
    if (sign === "^") return { kind: "start" };
    if (sign === "$") return { kind: "end" };
    if (sign === "\\") return this.#one(this.#escape(at), at);
    if ("*+?{".includes(sign)) throw this.#mistake("repeats nothing", at);
    if ("]}".includes(sign)) throw this.#mistake(`has a ${sign} without its beginning: write \\${sign}`, at);
    if (sign === "%") this.#requireNormal(at);
    return this.#one(sign, at);
  }

  /** A sign that stands for itself has to be one that a path in normal form has. */
  #one(sign: string | CharSet, at: number): Tree {
    if (typeof sign === "string" && UNSAFE.test(sign)) {
      throw this.#mistake(`has a ${sign}, which is compared as ${normalSpelling(sign)}: write that`, at);
    }
    return { kind: "one", set: asSet(sign) };
  }

  /** The same of an escape. */
  #requireNormal(at: number): void {
    const escape = /^%[0-9A-Fa-f]{2}/.exec(this.#text.slice(at, at + 3))?.[0];
    if (escape === undefined || normalSpelling(escape) === escape) return;
    throw this.#mistake(`has ${escape}, which is compared as ${normalSpelling(escape)}: write that`, at);
  }

  #group(at: number): Tree {
    if (this.#takes("?") && !this.#takes(":")) {
      const rest = this.#text.slice(this.#at, this.#at + 2);
      const what = rest.startsWith("=") || rest.startsWith("!")
        ? "a lookahead"
        : /^<[=!]/.test(rest)
        ? "a lookbehind"
        : "a group other than (…) and (?:…)";
      throw this.#mistake(`has ${what}, which these expressions lack`, at);
    }
    if (++this.#depth > DEEPEST) throw this.#mistake(`is deeper than ${DEEPEST} groups`, at);
    const tree = this.#alternatives();
    if (!this.#takes(")")) throw this.#mistake("has a ( without its )", at);
    this.#depth--;
    return tree;
  }

  /** Behind its bracket. */
  #class(at: number): CharSet {
    const set = new Uint8Array(OTHER + 1), negated = this.#takes("^");
    if (this.#text[this.#at] === "]") throw this.#mistake("has no character between [ and ]", at);
    while (!this.#takes("]")) {
      if (this.#at >= this.#text.length) throw this.#mistake("has a [ without its ]", at);
      const begin = this.#at, first = this.#member();
      const isRange = this.#text[this.#at] === "-" && this.#at + 1 < this.#text.length &&
        this.#text[this.#at + 1] !== "]";
      if (!isRange) join(set, asSet(first));
      else {
        this.#at++;
        this.#range(set, first, this.#member(), begin);
      }
    }
    return negated ? inverse(set) : set;
  }

  #member(): string | CharSet {
    const at = this.#at, sign = this.#next();
    if (sign === "[") throw this.#mistake("has a [ inside of [ ]: write \\[", at);
    return sign === "\\" ? this.#escape(at) : sign;
  }

  #range(set: CharSet, first: string | CharSet, last: string | CharSet, at: number): void {
    if (typeof first !== "string" || typeof last !== "string" || first > last) {
      throw this.#mistake("has a range that ends before it begins, or has no such end", at);
    }
    set.fill(1, first.charCodeAt(0), last.charCodeAt(0) + 1);
  }

  /** Behind its backslash: a sign as itself, or a set. */
  #escape(at: number): string | CharSet {
    if (this.#at >= this.#text.length) throw this.#mistake("ends with a backslash", at);
    const sign = this.#next();
    if (ESCAPED_SETS[sign]) return ESCAPED_SETS[sign];
    if (!/[A-Za-z0-9]/.test(sign)) return sign;
    const what = /[1-9]/.test(sign)
      ? "a backreference"
      : /b/i.test(sign)
      ? "a word boundary"
      : `the escape \\${sign}`;
    throw this.#mistake(`has ${what}, which these expressions lack`, at);
  }

  /** The sign here, which stands for itself only where a path may have it: what is foreign to it is a mistake. */
  #next(): string {
    const sign = this.#text[this.#at];
    if (!/^[\x21-\x7e]$/.test(sign)) {
      throw this.#mistake("has a character that no path has: it is percent-encoded there, in upper case");
    }
    this.#at++;
    return sign;
  }

  #takes(sign: string): boolean {
    const there = this.#text[this.#at] === sign;
    if (there) this.#at++;
    return there;
  }

  #mistake(state: string, at = this.#at): RegexError {
    return new RegexError(at + 1, state);
  }
}

function setOf(has: (code: number) => boolean): CharSet {
  return Uint8Array.from({ length: OTHER + 1 }, (_, code) => has(code) ? 1 : 0);
}

function inverse(set: CharSet): CharSet {
  return set.map((there) => 1 - there);
}

function asSet(sign: string | CharSet): CharSet {
  return typeof sign === "string" ? LITERALS[sign.charCodeAt(0)] : sign;
}

function join(set: CharSet, more: CharSet): void {
  for (let code = 0; code < set.length; code++) set[code] |= more[code];
}
