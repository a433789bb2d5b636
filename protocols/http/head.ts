/**
 * The head of an HTTP/1 message, read strictly (RFC 9112): what two parsers could read in two ways is refused, for
 * that is how requests are smuggled. Lines end with CRLF, there are no NULs, no folded lines, no space before a colon.
 */
import { Buffer } from "node:buffer";

/** The first line in its parts, the fields in order, names in lower case. */
export interface RequestHead {
  readonly used: number;
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  readonly fields: readonly Field[];
}

export interface ResponseHead {
  readonly used: number;
  readonly status: number;
  readonly fields: readonly Field[];
}

export type Field = readonly [name: string, value: string];

/** Why a head cannot be read, as a status code and the end of a sentence. Nothing of it is used. */
export interface Fault {
  readonly used: 0;
  readonly fault: 400 | 431 | 505;
  readonly state: string;
}

/** Fields of one head: thousands of two bytes would each cost what a long one does, and hold the thread for 10 ms. */
const MOST_FIELDS = 256;
const LF = 0x0a;
const CR = 0x0d;
/** RFC 9110 5.6.2. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** Bytes above ASCII in targets are no URI, and in use all the same. */
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e\\x80-\\xff]+) HTTP/([0-9]\\.[0-9])$`);
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD_LINE = new RegExp(`^(${TOKEN}):([\\t\\x20-\\x7e\\x80-\\xff]*)$`);

/** A parser for `next` of one request head, at most `limit` bytes. It remembers how far it looked. */
export function requestHead(limit: number): (bytes: Uint8Array) => RequestHead | Fault | number {
  return headParser(limit, parseRequest);
}

/** The same of a response head. */
export function responseHead(limit: number): (bytes: Uint8Array) => ResponseHead | Fault | number {
  return headParser(limit, parseResponse);
}

/** The values of a field, by its name in lower case. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field[0] === name).map((field) => field[1]);
}

function headParser<T>(
  limit: number,
  parse: (lines: readonly string[], used: number) => T | Fault,
): (bytes: Uint8Array) => T | Fault | number {
  let line = 0, looked = 0, lines = 0;
  return (bytes) => {
    for (let end; (end = bytes.indexOf(LF, looked)) >= 0 && end < limit; line = looked = end + 1) {
      if (bytes[end - 1] !== CR) return fault(400, "a line ends without CR");
      if (++lines > MOST_FIELDS + 2) return fault(431, `more than ${MOST_FIELDS} fields`);
      if (end > line + 1) continue;
      return end === 1 ? fault(400, "no first line") : parse(linesOf(bytes, end - 3), end + 1);
    }
    looked = bytes.length;
    if (bytes.length >= limit) return fault(431, `longer than ${limit} bytes`);
    return bytes.length + 1;
  };
}

/** The lines up to the CRLF of the last one. A character a byte: what the bytes mean is for who uses them. */
function linesOf(bytes: Uint8Array, end: number): string[] {
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1").split("\r\n");
}

function parseRequest(lines: readonly string[], used: number): RequestHead | Fault {
  const match = REQUEST_LINE.exec(lines[0]);
  if (!match) return fault(400, "no request line");
  const [, method, target, version] = match;
  if (version !== "1.1" && version !== "1.0") return fault(505, `HTTP version ${version}`);
  const fields = parseFields(lines);
  return "fault" in fields ? fields : { used, method, target, version, fields };
}

function parseResponse(lines: readonly string[], used: number): ResponseHead | Fault {
  const match = STATUS_LINE.exec(lines[0]);
  if (!match) return fault(400, "no status line");
  const fields = parseFields(lines);
  return "fault" in fields ? fields : { used, status: Number(match[1]), fields };
}

function parseFields(lines: readonly string[]): readonly Field[] | Fault {
  const fields: Field[] = [];
  for (let at = 1; at < lines.length; at++) {
    const match = FIELD_LINE.exec(lines[at]);
    if (!match) return fault(400, `line ${at + 1} is no field`);
    fields.push([match[1].toLowerCase(), trim(match[2])]);
  }
  return fields;
}

/** Without the optional whitespace around it (RFC 9110 5.6.3), which is only SP and HTAB. */
function trim(value: string): string {
  let from = 0, to = value.length;
  while (from < to && isSpace(value.charCodeAt(from))) from++;
  while (from < to && isSpace(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;
const fault = (status: Fault["fault"], state: string): Fault => ({ used: 0, fault: status, state });
