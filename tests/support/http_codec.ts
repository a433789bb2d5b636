/** What a gateway that changes nothing would make of a connection's bytes: the codec's parts put together. */
import { Buffer } from "node:buffer";
import { ChunkedBody, chunkPieces } from "../../protocols/http/chunked.ts";
import { dropClaims } from "../../protocols/http/drop_lines.ts";
import { Edits } from "../../protocols/http/edits.ts";
import type { Fault } from "../../protocols/http/faults.ts";
import { MessageHead } from "../../protocols/http/message_head.ts";
import { parseRequest, parseResponse } from "../../protocols/http/parse_head.ts";
import { writeRequest, writeResponse } from "../../protocols/http/write_head.ts";

/** `client`: requests to the gate. The others: the responses to a request that asked for this. */
export type Role = "client" | "upstream" | "toHead" | "toConnect" | "toUpgrade";

/** What went on, up to where it stopped: refused with a status, waiting for more, or all that was there. */
export interface Passed {
  readonly on: string;
  readonly refused?: number;
  readonly why?: string;
  /** Octets that were neither sent on nor refused yet. */
  readonly waiting?: number;
}

export const LIMIT = 4096;
const ASKED = { client: 0, upstream: 0, toHead: 1, toConnect: 2, toUpgrade: 4 };
const PIECES = chunkPieces();
const OUT = new Uint8Array(2 * LIMIT);

export const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** One direction of a connection, fed in pieces of any size. */
export class Passage {
  on = "";
  fault: Fault | undefined;
  waiting: Uint8Array = new Uint8Array();
  readonly #head = new MessageHead();
  readonly #edits = new Edits();
  #looked = 0;
  #body: ChunkedBody | undefined;
  /** Octets of content that still come. */
  #left = 0;

  constructor(readonly role: Role, readonly framed = true) {}

  feed(more: Uint8Array): void {
    this.waiting = Buffer.concat([this.waiting, more]);
    while (this.waiting.length > 0 && !this.fault && this.#step()) continue;
  }

  get passed(): Passed {
    if (this.fault) return { on: this.on, refused: this.fault.fault, why: this.fault.state };
    return this.waiting.length > 0 ? { on: this.on, waiting: this.waiting.length } : { on: this.on };
  }

  /** Whether anything was used. */
  #step(): boolean {
    if (this.#left > 0) return this.#use(Math.min(this.#left, this.waiting.length), true);
    return this.#body ? this.#chunks(this.#body) : this.#parse();
  }

  #use(size: number, passOn: boolean): boolean {
    if (passOn) this.on += text(this.waiting.subarray(0, size));
    if (passOn) this.#left -= size;
    this.waiting = this.waiting.subarray(size);
    return size > 0;
  }

  #chunks(body: ChunkedBody): boolean {
    const used = body.decode(this.waiting, 0, this.waiting.length, PIECES);
    if (typeof used !== "number") {
      this.fault = used;
      return false;
    }
    for (let i = 0; i < PIECES.count; i++) {
      this.on += text(this.waiting.subarray(PIECES.at[i], PIECES.at[i] + PIECES.size[i]));
    }
    if (body.done) this.#body = undefined;
    return this.#use(used, false);
  }

  #parse(): boolean {
    const head = this.#head, bytes = this.waiting, size = bytes.length;
    const answer = this.role === "client"
      ? parseRequest(head, bytes, 0, size, LIMIT, this.#looked)
      : parseResponse(head, bytes, 0, size, LIMIT, ASKED[this.role], this.#looked);
    this.#looked = typeof answer === "number" ? size : 0;
    if (typeof answer === "number") return false;
    if ("fault" in answer) this.fault = answer;
    else this.#pass(head);
    return true;
  }

  #pass(head: MessageHead): void {
    const edits = this.#edits;
    edits.begin(head, this.waiting, true);
    dropClaims(head, false);
    const write = this.role === "client" ? writeRequest : writeResponse;
    this.on += text(OUT.subarray(0, write(head, this.waiting, edits, OUT, 0)));
    if (head.body === "chunked") this.#body = new ChunkedBody(this.framed);
    else if (head.body === "length") this.#left = head.length;
    else if (head.body !== "none") this.#left = Infinity;
    this.#use(head.used, false);
  }
}

/** All of it at once. */
export function pass(role: Role, input: string, framed = true): Passed {
  const passage = new Passage(role, framed);
  passage.feed(latin1(input));
  return passage.passed;
}
