/** What a request is called on its way: X-Request-Id and traceparent (W3C Trace Context), passed on or made. */
import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { dropKind } from "./drop_lines.ts";
import type { Edits } from "./edits.ts";
import { KIND } from "./field_kinds.ts";
import { textOf } from "./interned.ts";
import type { MessageHead } from "./message_head.ts";
import { copyOctets, octets } from "./octets.ts";

const ID_SIZE = 16, PARENT_SIZE = 8;
const LONGEST_ID = 128;
/** Version 00 exactly; of later ones, as much as version 00 has (Trace Context 3.2.4). */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;
const ID = /^[\x21-\x7e]+$/;

/** Made before it is needed: a system call serves a hundred requests. Its hexadecimal digits, as text and as octets. */
const random = Buffer.alloc(4096);
const digits = new Uint8Array(2 * random.length);
const encoder = new TextEncoder();
let text = "", next = digits.length;

const idLine = octets(`X-Request-Id: ${"0".repeat(2 * ID_SIZE)}\r\n`);
const traceLine = octets(`traceparent: 00-${"0".repeat(2 * ID_SIZE)}-${"0".repeat(2 * PARENT_SIZE)}-00\r\n`);
const ID_AT = "X-Request-Id: ".length, TRACE_AT = "traceparent: 00-".length;

/** Sees that the request has both, and answers its id. Lines that are added are valid until the next call. */
export function nameRequest(head: MessageHead, bytes: Uint8Array, edits: Edits): string {
  const given = only(head, bytes, KIND.requestId, LONGEST_ID, ID);
  const traced = only(head, bytes, KIND.traceparent, LONGEST_ID, TRACEPARENT) !== undefined;
  if (given !== undefined && traced) return given;
  const fresh = takeDigits(2 * (ID_SIZE + PARENT_SIZE)), parent = fresh + 2 * ID_SIZE;
  if (given === undefined) {
    dropKind(head, KIND.requestId);
    copyOctets(digits, fresh, parent, idLine, ID_AT);
    edits.add(idLine);
  }
  if (!traced) {
    dropKind(head, KIND.traceparent);
    dropKind(head, KIND.tracestate);
    copyOctets(digits, fresh, parent, traceLine, TRACE_AT);
    copyOctets(digits, parent, parent + 2 * PARENT_SIZE, traceLine, TRACE_AT + 2 * ID_SIZE + 1);
    edits.add(traceLine);
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
