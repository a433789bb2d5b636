/** YAML into the parser's nodes. Bounded: what it would spend seconds on is refused before, or at its first mistakes. */
import { Composer, type CST, type ErrorCode, Lexer, LineCounter, type Node as YamlNode, Parser } from "yaml";

/** What keeps a text from being read. */
export interface Fault {
  readonly message: string;
  /** Both from 1; absent: it is about the whole text. */
  readonly at?: { readonly line: number; readonly col: number };
}

export type YamlReading =
  | { readonly faults: readonly Fault[] }
  | { readonly contents: YamlNode | null; readonly lines: LineCounter };

export const MOST_TOKENS = 200_000;
export const DEEPEST = 32;
export const TOO_DEEP = `nested more than ${DEEPEST} deep`;
/** A broken file breaks the same way again and again, and a mistake costs the parser more than ten right words. */
export const MOST_FAULTS = 20;

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
  BLOCK_AS_IMPLICIT_KEY:
    "this key stands further right than those it belongs to, or in one line with another one (braces hold several)",
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
  RESOURCE_EXHAUSTION: TOO_DEEP,
  TAB_AS_INDENT: "a tab indents here: YAML takes spaces alone",
  TAG_RESOLVE_FAILED: "a tag (a word after !) is not used here; a text that begins with ! needs quotes",
  UNEXPECTED_TOKEN: "not expected here: a quote, bracket or indentation before it may be missing",
};

/** The nodes of one document; or what is wrong with it, at most MOST_FAULTS. */
export function readYaml(text: string): YamlReading {
  const tokens = tokensOf(text);
  if (tokens === undefined) {
    return { faults: [{ message: `expected at most ${MOST_TOKENS} words and signs, got more` }] };
  }
  const lines = new LineCounter();
  const faults = new Faults();
  try {
    const contents = compose(parse(tokens, lines, faults), text.length, faults);
    if (faults.found.length === 0) return { contents, lines };
  } catch (thrown) {
    if (!(thrown instanceof Enough)) throw thrown;
  }
  return {
    faults: faults.found.filter(isFirst).map(({ code, offset }) => {
      return { message: messageOf(code, text.slice(offset, offset + 80)), at: lines.linePos(offset) };
    }),
  };
}

/** At one place the parser stumbles over one mistake several times. */
const isFirst = (fault: { offset: number }, at: number, all: readonly { offset: number }[]): boolean =>
  all.findIndex(({ offset }) => offset === fault.offset) === at;

function messageOf(code: ErrorCode, there: string): string {
  return code === "MISSING_CHAR" && GLUED.test(there) ? GLUED_KEY : SYNTAX[code];
}

/** `to:127.0.0.1:80` on a line of its own. */
const GLUED = /^[\w-]+:[^\s:]/;
const GLUED_KEY = "a character is missing: most likely a space after the colon";

/** Ends the reading of a text that has mistakes enough. */
class Enough extends Error {}

class Faults {
  readonly found: { readonly code: ErrorCode; readonly offset: number }[] = [];

  /** Throws Enough with the last one that is wanted. */
  tell(code: ErrorCode, offset: number): void {
    if (this.found.length < MOST_FAULTS) this.found.push({ code, offset });
    if (this.found.length === MOST_FAULTS) throw new Enough();
  }

  tellLast(code: ErrorCode, offset: number): never {
    this.found.push({ code, offset });
    throw new Enough();
  }
}

/** The lexer is quick with anything, and what follows is with that many; undefined: more. */
function tokensOf(text: string): string[] | undefined {
  const tokens: string[] = [];
  for (const token of new Lexer().lex(text)) {
    if (tokens.push(token) > MOST_TOKENS) return undefined;
  }
  return tokens;
}

/** Up to the end of the first document. Recursions over what it yields are as deep as its nodes: at most DEEPEST. */
function* parse(tokens: readonly string[], lines: LineCounter, faults: Faults): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let documents = 0;
  const accept = function* (parsed: Iterable<CST.Token>): Generator<CST.Token> {
    for (const token of parsed) {
      if (token.type === "document" && ++documents > 1) faults.tellLast("MULTIPLE_DOCS", token.offset);
      if (token.type === "error") faults.tell("UNEXPECTED_TOKEN", token.offset);
      else yield token;
    }
  };
  for (const token of tokens) {
    const { offset } = parser;
    yield* accept(parser.next(token));
    if (parser.stack.length > DEEPEST + 1) faults.tellLast("RESOURCE_EXHAUSTION", offset); // the document is one
  }
  yield* accept(parser.end());
}

type Position = number | readonly number[] | { readonly offset: number };

function compose(parsed: Iterable<CST.Token>, end: number, faults: Faults): YamlNode | null {
  const composer = new Composer({
    uniqueKeys: false, // it would compare every key with every other
    resolveKnownTags: false, // and those of !!omap
    schema: "core", // in %YAML 1.1 too
  });
  // It has no public way to stop, and a text of 1 MiB holds mistakes for minutes.
  composer["onError"] = (at: Position, code: ErrorCode) => {
    faults.tell(code, typeof at === "number" ? at : "offset" in at ? at.offset : at[0]);
  };
  let contents: YamlNode | null = null;
  for (const document of composer.compose(parsed, true, end)) {
    contents = document.contents;
    for (const { code, pos } of [...document.errors, ...document.warnings]) faults.tell(code, pos[0]);
  }
  return contents;
}
