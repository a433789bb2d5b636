/** Which responses are worth compressing, and may be; and what their heads say then. */
import type { Coding } from "../../../gate/requests.ts";
import type { FieldChanges } from "../../../gate/filters.ts";
import { dropKind, dropName } from "../drop_lines.ts";
import { type Edits, fieldLine } from "../edits.ts";
import type { Exchange } from "../exchange.ts";
import { KIND, kindOf } from "../field_kinds.ts";
import { valueOf } from "../field_values.ts";
import type { MessageHead } from "../message_head.ts";
import { COLON, octets } from "../octets.ts";
import { CodedContent } from "./coded_content.ts";

/** Below, the fields that it takes cost what it wins. */
const LEAST = 1024;
/** No part of it takes what the one behind it could take too: an upstream's 64 KiB of tabs would take seconds. */
const TYPES = new RegExp(
  `^(?:text/(?!event-stream)[^ \\t;]+|[^ \\t;/]+/[^ \\t;]*\\+(?:json|xml|text|yaml)|font/(?:ttf|otf|sfnt)|image/(?:bmp|vnd\\.microsoft\\.icon|x-icon)|application/(?:${
    [
      ...["json", "javascript", "x-javascript", "xml", "ecmascript", "x-ndjson", "ndjson", "jsonl", "yaml"],
      ...["wasm", "graphql", "toml", "sql", "rtf", "x-sh", "vnd\\.ms-fontobject", "x-font-ttf"],
    ].join("|")
  }))[ \\t]*(?:;|$)`,
  "i",
);
const NO_TRANSFORM = /(?:^|[ \t,])no-transform(?:[ \t,]|$)/i;
const VARIES = /(?:^|[ \t,])(?:\*|accept-encoding)(?:[ \t,]|$)/i;
/** They speak of the octets that would be others. */
const DIGEST_NAMES = ["content-md5", "digest", "content-digest", "repr-digest"];
const DIGESTS = DIGEST_NAMES.map(octets);
const ACCEPT_RANGES = octets("accept-ranges");
const WITHOUT: ReadonlySet<number> = new Set([204, 205]);
const PARTIAL = 206, NOT_MODIFIED = 304;
const VARY = octets("Vary: Accept-Encoding\r\n");
const WEAK = octets("ETag: W/"), CRLF = octets("\r\n");
const QUOTE = 0x22;
const ENCODED: Readonly<Record<Coding, Uint8Array>> = {
  gzip: fieldLine("Content-Encoding", "gzip"),
  zstd: fieldLine("Content-Encoding", "zstd"),
};

/** Begins to code the response that `head` is of, and makes the head say so; or leaves it, where it does not pay. */
export function compress(edits: Edits, head: MessageHead, bytes: Uint8Array, exchange: Exchange): void {
  const { agreed } = exchange;
  if (agreed === undefined || !isCompressible(head, bytes)) return;
  vary(edits, head, bytes);
  if (agreed === "identity" || head.status === PARTIAL) return; // RFC 9110 15.3.7: a part varies as the whole does
  if (head.status === NOT_MODIFIED) return weaken(edits, head, bytes);
  if (head.body !== "none") { // else it answers HEAD, as it would GET
    const framed = exchange.minor > 0, size = head.body === "length" ? head.length : undefined;
    exchange.coded = CodedContent.begin(agreed, exchange.down, { framed, size });
    if (!exchange.coded) return;
    edits.body = framed ? "chunked" : "close";
  }
  weaken(edits, head, bytes);
  dropKind(head, KIND.contentLength);
  dropName(head, bytes, ACCEPT_RANGES);
  edits.add(ENCODED[agreed]);
}

function isCompressible(head: MessageHead, bytes: Uint8Array): boolean {
  const { status, body, length } = head;
  if (status === NOT_MODIFIED) return true; // RFC 9110 15.4.5: as the 200 would say, whose type nobody tells
  if (status < 200 || WITHOUT.has(status) || body === "tunnel") return false;
  if (length >= 0 && length < LEAST && !head.chunked && status !== PARTIAL) return false;
  if (head.find(KIND.contentEncoding) >= 0) return false;
  if (status !== PARTIAL && head.find(KIND.contentRange) >= 0) return false;
  const type = head.find(KIND.contentType);
  if (type < 0 || !hasTypeThatCompresses(valueOf(head, bytes, type))) return false;
  return !forbids(head, bytes) && DIGESTS.every((name) => head.findName(bytes, name) < 0);
}

/** By the value of a Content-Type. */
export const hasTypeThatCompresses = (value: string): boolean => TYPES.test(value);

/** Whether a message says that nothing may be made of its content; a request says it of the response (RFC 9111 5.2.1.6). */
export const forbids = (head: MessageHead, bytes: Uint8Array): boolean =>
  says(head, bytes, KIND.cacheControl, NO_TRANSFORM);

/** Whether nothing of a route may be compressed, because of what it says itself in every response. */
export function forbidsCoding({ set = {}, add = {} }: FieldChanges): boolean {
  return [...Object.entries(set), ...Object.entries(add)].some(([name, value]) => {
    const lower = name.toLowerCase();
    return lower === "cache-control" && NO_TRANSFORM.test(value) || lower === "content-encoding" ||
      DIGEST_NAMES.includes(lower);
  });
}

/** A line that the route takes away tells no cache anything. */
function vary(edits: Edits, head: MessageHead, bytes: Uint8Array): void {
  for (let line = head.find(KIND.vary); line >= 0; line = head.find(KIND.vary, line + 1)) {
    if (head.drop[line] === 0 && VARIES.test(valueOf(head, bytes, line))) return;
  }
  edits.add(VARY);
}

/** RFC 9110 8.8.1: a strong tag would promise the same octets. */
function weaken(edits: Edits, head: MessageHead, bytes: Uint8Array): void {
  for (let i = 0; i < edits.count; i++) edits.added[i] = weakened(edits.added[i]);
  const line = head.find(KIND.etag);
  if (line < 0 || head.drop[line] === 1 || bytes[head.valueStart(line)] !== QUOTE) return;
  const tag = bytes.subarray(head.valueStart(line), head.valueEnd(line));
  const weak = new Uint8Array(WEAK.length + tag.length + CRLF.length);
  weak.set(WEAK);
  weak.set(tag, WEAK.length);
  weak.set(CRLF, WEAK.length + tag.length);
  edits.setKind(head, KIND.etag, weak);
}

/** Of a line that the route adds. */
function weakened(line: Uint8Array): Uint8Array {
  if (kindOf(line, 0, line.indexOf(COLON)) !== KIND.etag) return line;
  const value = line.indexOf(COLON) + 2; // as fieldLine writes it
  if (line[value] !== QUOTE) return line;
  const weak = new Uint8Array(WEAK.length + line.length - value);
  weak.set(WEAK);
  weak.set(line.subarray(value), WEAK.length);
  return weak;
}

function says(head: MessageHead, bytes: Uint8Array, kind: number, what: RegExp): boolean {
  for (let line = head.find(kind); line >= 0; line = head.find(kind, line + 1)) {
    if (what.test(valueOf(head, bytes, line))) return true;
  }
  return false;
}
