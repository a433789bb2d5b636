/** The head of one message as offsets into the bytes it was read from: made once per thread, filled again and again. */
import { type Fault, MOST_FIELDS } from "./faults.ts";
import { KINDS } from "./field_kinds.ts";
import { isToken } from "./octets.ts";

/** Parsers answer where they got to, or one of these. */
export const MORE = 0;
export const REFUSED = -1;

/** RFC 9110 9; methods are case-sensitive, so `get` is `other`. */
export type Method =
  | ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH")
  | "other";
/** RFC 9112 3.2. */
export type TargetForm = "origin" | "absolute" | "authority" | "asterisk";
/**
 * How the content ends (RFC 9112 6.3): there is none, it has a length, it is chunked, the connection ends it; or what
 * follows is no HTTP any more.
 */
export type Body = "none" | "length" | "chunked" | "close" | "tunnel";

/** Options of Connection, as bits. */
export const OPTION = { close: 1, keepAlive: 2, upgrade: 4, te: 8, named: 16 } as const;

/** Offsets hold while the bytes do: during the synchronous call that parsed them. */
export class MessageHead {
  /** Octets of the head, with an empty line before it and the one that ends it: what `next` may consume. */
  used = 0;
  start = 0;
  end = 0;
  /** 0 or 1: HTTP/1.0 or 1.1. */
  minor = 1;

  /** Of a request. */
  method: Method = "other";
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  form: TargetForm = "origin";
  /** Of an absolute target, where the path or the query begins; the whole target otherwise. */
  pathStart = 0;
  /** Whom the request is for: the target's authority, else the Host. Empty: an old request that names nobody. */
  authorityStart = 0;
  authorityEnd = 0;

  /** Of a response; 0 in a request. */
  status = 0;

  /** Fields, in the order they came. */
  count = 0;
  /** Four for each: see setLine. Behind the last, the empty line's start. */
  readonly #lines = new Int32Array(4 * (MOST_FIELDS + 1));
  /** KIND of each. */
  readonly kinds = new Uint8Array(MOST_FIELDS);
  /** 1: the line does not go on. */
  readonly drop = new Uint8Array(MOST_FIELDS);

  body: Body = "none";
  /** Octets, where `body` is "length"; what Content-Length says in an answer to HEAD. -1: no such field. */
  length = -1;
  /** Whether Transfer-Encoding is chunked. */
  chunked = false;
  /** OPTION bits. */
  options = 0;
  /** Whether there is an Upgrade to something other than h2c, in HTTP/1.1 and with its option. */
  upgrade = false;
  /** Whether the client waits for a 100 (RFC 9110 10.1.1). */
  expectContinue = false;
  /** Whether TE asks for trailers. */
  trailers = false;

  /** Why a parser answered REFUSED. */
  refusal: Fault | undefined;

  /** Of each kind, the number of the last head that had it: most are asked for and not there. */
  readonly #had = new Uint32Array(KINDS);
  #number = 0;

  /** Keeps the reason; the parsers' shortest way out. */
  refuse(fault: Fault): typeof REFUSED {
    this.refusal = fault;
    return REFUSED;
  }

  reset(start: number): void {
    this.#number++;
    this.start = start;
    this.count = this.status = this.options = 0;
    this.authorityStart = this.authorityEnd = 0;
    this.length = -1;
    this.body = "none";
    this.method = "other";
    this.chunked =
      this.upgrade =
      this.expectContinue =
      this.trailers =
        false;
  }

  /** Where the line begins; of line `count`, the empty one behind all. */
  nameStart(line: number): number {
    return this.#lines[4 * line];
  }

  /** Where its colon stands. */
  nameEnd(line: number): number {
    return this.#lines[4 * line + 1];
  }

  /** Where its value begins, without the whitespace around it. */
  valueStart(line: number): number {
    return this.#lines[4 * line + 2];
  }

  valueEnd(line: number): number {
    return this.#lines[4 * line + 3];
  }

  setLine(line: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const lines = this.#lines, at = 4 * line;
    lines[at] = nameStart;
    lines[at + 1] = nameEnd;
    lines[at + 2] = valueStart;
    lines[at + 3] = valueEnd;
  }

  /** The lines are `count`, and the empty one begins at `start`. */
  endLines(count: number, start: number): void {
    this.count = count;
    this.#lines[4 * count] = start;
  }

  markKind(line: number, kind: number): void {
    this.kinds[line] = kind;
    this.#had[kind] = this.#number;
  }

  /** The first line of this kind from line `from` on, or -1. */
  find(kind: number, from = 0): number {
    if (this.#had[kind] !== this.#number >>> 0) return -1;
    for (let line = from; line < this.count; line++) {
      if (this.kinds[line] === kind) return line;
    }
    return -1;
  }

  /** The first line of this name, in lower case, from line `from` on, or -1. */
  findName(bytes: Uint8Array, name: Uint8Array, from = 0): number {
    for (let line = from; line < this.count; line++) {
      if (isToken(bytes, this.nameStart(line), this.nameEnd(line), name)) return line;
    }
    return -1;
  }
}
