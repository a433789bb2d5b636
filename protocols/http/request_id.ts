/** What a request is called on its way: X-Request-Id and traceparent (W3C Trace Context), passed on or made. */
import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { dropKind } from "./drop_lines.ts";
import type { Edits } from "./edits.ts";
import { KIND } from "./field_kinds.ts";
import { textOf } from "./interned.ts";
import type { MessageHead } from "./message_head.ts";
import { copyOctets } from "./octets.ts";

const ID_SIZE = 16, PARENT_SIZE = 8;
const LONGEST_ID = 128;
/** Version 00 exactly; of later ones, as much as version 00 has (Trace Context 3.2.4). */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;
const ID = /^[\x21-\x7e]+$/;

/** Made before it is needed: a system call serves hundreds of requests. Its hexadecimal digits, as text and as octets. */
const random = Buffer.alloc(256 * (ID_SIZE + PARENT_SIZE));
const digits = new Uint8Array(2 * random.length);
const encoder = new TextEncoder();
const words = new Uint32Array(digits.buffer), WORDS_OF_ID = 2 * ID_SIZE / 4;
let text = "", next = digits.length;

const ID_AT = "X-Request-Id: ".length, TRACE_AT = "traceparent: 00-".length;
const PARENT_AT = TRACE_AT + 2 * ID_SIZE + 1;
const idLine = lineWith(`X-Request-Id: ${"0".repeat(2 * ID_SIZE)}\r\n`, ID_AT);
const traceLine = lineWith(
  `traceparent: 00-${"0".repeat(2 * ID_SIZE)}-${"0".repeat(2 * PARENT_SIZE)}-00\r\n`,
  TRACE_AT,
);

interface Line {
  readonly octets: Uint8Array;
  /** Of its id. */
  readonly words: Uint32Array;
}

/** A line whose place for an id begins with a word of memory, so that it is written a word at a time. */
function lineWith(line: string, idAt: number): Line {
  const shift = (4 - idAt % 4) % 4, memory = new Uint8Array(4 * Math.ceil((shift + line.length) / 4));
  encoder.encodeInto(line, memory.subarray(shift));
  return {
    octets: memory.subarray(shift, shift + line.length),
    words: new Uint32Array(memory.buffer, shift + idAt, WORDS_OF_ID),
  };
}

function writeId(line: Line, from: number): void {
  for (let i = 0, word = from / 4; i < WORDS_OF_ID; i++) line.words[i] = words[word + i];
}

/** Sees that the request has both, and answers its id. Lines that are added are valid until the next call. */
export function nameRequest(head: MessageHead, bytes: Uint8Array, edits: Edits): string {
  const given = only(head, bytes, KIND.requestId, LONGEST_ID, ID);
  const traced = only(head, bytes, KIND.traceparent, LONGEST_ID, TRACEPARENT) !== undefined;
  if (given !== undefined && traced) return given;
  const fresh = takeDigits(2 * (ID_SIZE + PARENT_SIZE)), parent = fresh + 2 * ID_SIZE;
  if (given === undefined) {
    dropKind(head, KIND.requestId);
    writeId(idLine, fresh);
    edits.add(idLine.octets);
  }
  if (!traced) {
    dropKind(head, KIND.traceparent);
    dropKind(head, KIND.tracestate);
    writeId(traceLine, fresh);
    copyOctets(digits, parent, parent + 2 * PARENT_SIZE, traceLine.octets, PARENT_AT);
    edits.add(traceLine.octets);
  }
  return given ?? text.slice(fresh, parent);
}

/** The value of the one valid field of this kind. */
function only(
  head: MessageHead,
  bytes: Uint8Array,
  kind: number,
  longest: number,
  valid: RegExp,
): string | undefined {
  const line = head.find(kind);
  if (line < 0 || head.find(kind, line + 1) >= 0) return undefined;
  const start = head.valueStart(line), end = head.valueEnd(line);
  if (end - start > longest) return undefined;
  const text = textOf(bytes, start, end);
  return valid.test(text) ? text : undefined;
}

/** Where so many digits are that nobody had before. */
function takeDigits(count: number): number {
  if (next + count > digits.length) {
    text = randomFillSync(random).toString("hex");
    encoder.encodeInto(text, digits);
    next = 0;
  }
  next += count;
  return next - count;
}
