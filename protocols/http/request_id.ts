/** What a request is called on its way: X-Request-Id and traceparent (W3C Trace Context), passed on or made. */
import { randomFillSync } from "node:crypto";
import { dropKind } from "./drop_lines.ts";
import type { Edits } from "./edits.ts";
import { KIND } from "./field_kinds.ts";
import { textOf } from "./interned.ts";
import type { MessageHead } from "./message_head.ts";
import { octets } from "./octets.ts";

const ID_SIZE = 16, PARENT_SIZE = 8;
const LONGEST_ID = 128;
/** Version 00 exactly; of later ones, as much as version 00 has (Trace Context 3.2.4). */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;
const ID = /^[\x21-\x7e]+$/;

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));
/** Made before it is needed: a system call serves a hundred requests. */
const random = new Uint8Array(4096);
let next = random.length;

const idLine = octets(`X-Request-Id: ${"0".repeat(2 * ID_SIZE)}\r\n`);
const traceLine = octets(`traceparent: 00-${"0".repeat(2 * ID_SIZE)}-${"0".repeat(2 * PARENT_SIZE)}-00\r\n`);
const ID_AT = "X-Request-Id: ".length, TRACE_AT = "traceparent: 00-".length;

/** Sees that the request has both, and answers its id. Lines that are added are valid until the next call. */
export function nameRequest(head: MessageHead, bytes: Uint8Array, edits: Edits): string {
  const given = only(head, bytes, KIND.requestId, LONGEST_ID, ID);
  const traced = only(head, bytes, KIND.traceparent, LONGEST_ID, TRACEPARENT) !== undefined;
  if (given !== undefined && traced) return given;
  const fresh = hexOf(ID_SIZE);
  if (given === undefined) {
    dropKind(head, KIND.requestId);
    writeText(fresh, idLine, ID_AT);
    edits.add(idLine);
  }
  if (!traced) {
    dropKind(head, KIND.traceparent);
    dropKind(head, KIND.tracestate);
    writeText(fresh, traceLine, TRACE_AT);
    writeText(hexOf(PARENT_SIZE), traceLine, TRACE_AT + 2 * ID_SIZE + 1);
    edits.add(traceLine);
  }
  return given ?? fresh;
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
  const start = head.lines[4 * line + 2], end = head.lines[4 * line + 3];
  if (end - start > longest) return undefined;
  const text = textOf(bytes, start, end);
  return valid.test(text) ? text : undefined;
}

function hexOf(size: number): string {
  if (next + size > random.length) {
    randomFillSync(random);
    next = 0;
  }
  let text = "";
  for (const end = next + size; next < end; next++) text += HEX[random[next]];
  return text;
}

function writeText(text: string, into: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) into[at + i] = text.charCodeAt(i);
}
