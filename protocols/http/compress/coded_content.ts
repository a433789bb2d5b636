/** A response's content that is coded on its way: what comes of it, in the framing that the client knows. */
import type { Coding } from "../../../gate/requests.ts";
import { coded, PIECE, plain } from "../../../gate/engine/coder_room.ts";
import { type Behind, type Coder, startCoder } from "../../../gate/engine/coders.ts";
import type { Content } from "../content.ts";
import { copyOctets, octets } from "../octets.ts";

const CRLF = octets("\r\n");
const LAST = octets("0\r\n\r\n");
/** What may come out of the first piece: noise grows by little. */
export const MOST_OF_FIRST = PIECE + 1024;

export class CodedContent {
  /** The end has gone on, too. */
  done = false;
  /** Octets for the client, with their framing. */
  moved = 0;
  readonly #coder: Coder;
  readonly #content: Content;
  readonly #framed: boolean;
  /** The coder may keep octets back that went in. */
  #withheld = false;

  /** `framed`: in chunks; else the end of the connection ends it. */
  private constructor(coder: Coder, content: Content, framed: boolean) {
    this.#coder = coder;
    this.#content = content;
    this.#framed = framed;
  }

  /** undefined: too many are at work, and it has to go on as it is. `size`: of the content, where it is known. */
  static begin(
    coding: Coding,
    content: Content,
    { framed, size }: { readonly framed: boolean; readonly size: number | undefined },
  ): CodedContent | undefined {
    const coder = startCoder(coding, size);
    return coder && new CodedContent(coder, content, framed);
  }

  /** Octets that `place` used. */
  get used(): number {
    return this.#content.used;
  }

  /**
   * Codes a piece of what `bytes` has from `from` on into `out` at `at`; where it ends there. `used` tells how many octets
   * that were. Where these are all that are there, all that was coded comes out. `ended`: nothing
   * comes behind them. Throws GateError where the content cannot be read.
   */
  place(bytes: Uint8Array, from: number, out: Uint8Array, at: number, ended = false): number {
    const content = this.#content, size = content.place(bytes, from, plain, 0, "upstream");
    const taken = from + content.used === bytes.length;
    const over = content.done || ended && taken && content.body === "close";
    const end = this.#code(size, over ? "end" : taken ? "pause" : "more", out, at);
    if (over) this.#finish();
    this.moved += end - at;
    return end;
  }

  /** Nobody waits for the rest. */
  over(): void {
    this.#coder.over();
  }

  #finish(): void {
    this.done = true;
    this.over();
  }

  #code(size: number, behind: Behind, out: Uint8Array, at: number): number {
    const waits = size > 0 || this.#withheld && behind === "pause";
    const came = waits || behind === "end" ? this.#coder.code(size, behind) : 0;
    this.#withheld = behind === "more";
    let end = at;
    if (came > 0) {
      if (this.#framed) end = append(octets(`${came.toString(16)}\r\n`), out, end);
      end = copyOctets(coded, 0, came, out, end);
      if (this.#framed) end = append(CRLF, out, end);
    }
    return behind === "end" && this.#framed ? append(LAST, out, end) : end;
  }
}

const append = (bytes: Uint8Array, out: Uint8Array, at: number): number =>
  copyOctets(bytes, 0, bytes.length, out, at);
