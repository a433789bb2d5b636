/** Chunked content (RFC 9112 7.1), checked on its way: what goes on is told as pieces of the input, without a copy. */
import {
  type Fault,
  FAULTS,
  LONGEST_CHUNK_LINE,
  LONGEST_TRAILERS,
  MOST_CHUNK_EXCESS,
  MOST_FIELDS,
} from "./faults.ts";
import { readFieldLines } from "./field_lines.ts";
import { KIND } from "./field_kinds.ts";
import { MessageHead, MORE, type REFUSED } from "./message_head.ts";
import { CR, endOf, hasLineFeed, HEX, IN_VALUE, isFolded, isIn } from "./octets.ts";
import { Ranges } from "./ranges.ts";
import { lineEnd } from "./start_line.ts";

const SEMICOLON = 0x3b;
/** Hexadecimal digits: 2^52 is exact, and nobody's chunk is larger. */
const MOST_DIGITS = 13;
/** Pieces of one call. */
const MOST_PIECES = 256;
/** What a chunk's line may have for nothing; beyond it content has to come. */
const FREE_OCTETS = 16;

/** What `decode` fills in, one for a thread: the kept lines of a trailer section are the last pieces it needs. */
export const chunkPieces = (): Ranges => new Ranges(MOST_PIECES + MOST_FIELDS + 2);

type Stage = "size" | "content" | "contentEnd" | "trailers" | "done";

const NONE_GONE: readonly Uint8Array[] = [];
/** The trailer section that is being looked at. */
const SECTION = new MessageHead();

/** One message's chunked content. A line counts when it is whole: what came of it stays with the caller until then. */
export class ChunkedBody {
  /** Octets of content, of the chunks that began. */
  size = 0;
  /** Octets of the present chunk that still come: they may be moved without `decode`, and reported to `skip`. */
  left = 0;
  #stage: Stage = "size";
  /** Octets at the front of what is not used yet that have no line end. */
  #looked = 0;
  #excess = 0;

  /**
   * `framed`: chunk lines and trailers go on with the content, but for trailers of the names in `gone` (as isFolded has
   * them). `most`: octets of content that are allowed.
   */
  constructor(
    readonly framed: boolean,
    readonly most = Infinity,
    readonly gone: readonly Uint8Array[] = NONE_GONE,
  ) {}

  /** Whether the last line of it was used. */
  get done(): boolean {
    return this.#stage === "done";
  }

  /**
   * Decodes `bytes` from `from` to `to` into `pieces`, as far as these suffice, and answers how many octets it used:
   * call it again with the rest and more. None used: it needs one more than there are. Content in front of a fault
   * goes on first, so that it does not matter in which pieces the bytes came. Trailers that only a head may
   * have, or that the gate itself judges by, are left out.
   */
  decode(bytes: Uint8Array, from: number, to: number, pieces: Ranges): number | Fault {
    pieces.count = 0;
    let at = from;
    while (at < to && this.#stage !== "done" && pieces.count < MOST_PIECES) {
      const next = this.#stage === "content"
        ? this.#content(at, to, pieces)
        : this.#line(bytes, at, to, pieces);
      if (next < 0 && at === from) return SECTION.refusal!;
      if (next <= 0) break;
      at = next;
    }
    return at - from;
  }

  /** So many octets of the present chunk went on without being decoded. */
  skip(octets: number): void {
    this.left -= octets;
    if (this.left === 0) this.#stage = "contentEnd";
  }

  #content(at: number, to: number, pieces: Ranges): number {
    const end = Math.min(to, at + this.left);
    pieces.add(at, end);
    this.skip(end - at);
    return end;
  }

  /** A line or the trailers, once they are whole; looked at again only when a line end came. */
  #line(bytes: Uint8Array, at: number, to: number, pieces: Ranges): number {
    const looked = this.#looked;
    const trailers = this.#stage === "trailers";
    const most = trailers ? LONGEST_TRAILERS : LONGEST_CHUNK_LINE;
    if (looked > 0 && to - at < most && !hasLineFeed(bytes, at + looked, to)) return MORE;
    const next = trailers ? this.#trailers(bytes, at, to, pieces) : this.#chunkLine(bytes, at, to);
    this.#looked = next === MORE ? to - at : 0;
    if (this.framed && !trailers && next > 0) pieces.add(at, next);
    return next;
  }

  #chunkLine(bytes: Uint8Array, at: number, to: number): number {
    if (this.#stage === "size") return this.#sizeLine(bytes, at, to);
    const next = bytes[at] === CR ? lineEnd(SECTION, bytes, at, to) : SECTION.refuse(FAULTS.chunkEnd);
    if (next > 0) this.#stage = "size";
    return next;
  }

  /**
   * The chunk's size and its extensions, of which nobody needs to know anything but where they end. The whitespace that
   * RFC 9112 7.1.1 would have removed between them is refused: the line goes on as it came.
   */
  #sizeLine(bytes: Uint8Array, from: number, to: number): number {
    const last = Math.min(to, from + LONGEST_CHUNK_LINE);
    let at = from, size = 0;
    while (at < last && HEX[bytes[at]] < 16) size = size * 16 + HEX[bytes[at++]];
    if (at - from > MOST_DIGITS || at === from) return SECTION.refuse(FAULTS.chunkSize);
    if (at < last && bytes[at] !== SEMICOLON && isIn(bytes[at], IN_VALUE)) {
      return SECTION.refuse(FAULTS.chunkSize);
    }
    const next = lineEnd(SECTION, bytes, endOf(IN_VALUE, bytes, at, last), last);
    if (next > 0) return this.#begin(size, next - from) ?? next;
    return next === MORE && to - from >= LONGEST_CHUNK_LINE ? SECTION.refuse(FAULTS.longChunkLine) : next;
  }

  /** A chunk of this size, whose line had so many octets. Tiny chunks in long lines would make work of nothing. */
  #begin(size: number, line: number): typeof REFUSED | undefined {
    this.#excess = Math.max(0, this.#excess + line - FREE_OCTETS - 2 * size);
    if (this.#excess > MOST_CHUNK_EXCESS) return SECTION.refuse(FAULTS.chunkExcess);
    this.size += size;
    if (this.size > this.most) return SECTION.refuse(FAULTS.content);
    this.left = size;
    this.#stage = size === 0 ? "trailers" : "content";
    return undefined;
  }

  #trailers(bytes: Uint8Array, from: number, to: number, pieces: Ranges): number {
    const next = readFieldLines(SECTION, bytes, from, Math.min(to, from + LONGEST_TRAILERS));
    if (next === MORE && to - from >= LONGEST_TRAILERS) return SECTION.refuse(FAULTS.longTrailers);
    if (next <= 0) return next;
    this.#stage = "done";
    if (this.framed) addTrailers(bytes, pieces, next, this.gone);
    return next;
  }
}

/**
 * The lines of the section that go on, and the empty line. Framing, hosts, credentials and claims have no place in
 * trailers (RFC 9110 6.5.1): a name that the gate knows is one it, or who comes behind it, could be misled by.
 */
function addTrailers(bytes: Uint8Array, pieces: Ranges, end: number, gone: readonly Uint8Array[]): void {
  const { kinds, count } = SECTION;
  for (let line = 0; line < count; line++) {
    const start = SECTION.nameStart(line), nameEnd = SECTION.nameEnd(line);
    if (kinds[line] !== KIND.other || gone.some((name) => isFolded(bytes, start, nameEnd, name))) continue;
    pieces.add(start, SECTION.nameStart(line + 1));
  }
  pieces.add(SECTION.nameStart(count), end);
}
