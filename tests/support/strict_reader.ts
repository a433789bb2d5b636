/**
 * Requests of HTTP/1.1 read by the letter of RFC 9112, and by nothing of the gate's own: what a careful server would make
 * of these octets, and where it would stop. Texts are latin1.
 */

export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly framing: "none" | "length" | "chunked";
  readonly content: string;
  /** Octets of the whole message. */
  readonly size: number;
}

export interface Read {
  readonly requests: readonly StrictRequest[];
  /** Octets behind them, and whether more could make a request of these. */
  readonly rest: string;
  readonly malformed: boolean;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP\/1\.([01])$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;

class Malformed extends Error {}
class Partial extends Error {}

/** All requests at the front of the text. */
export function readStrictly(text: string): Read {
  const requests: StrictRequest[] = [];
  for (let at = 0;;) {
    const rest = text.slice(at);
    if (rest === "") return { requests, rest, malformed: false };
    try {
      const request = readOne(rest);
      requests.push(request);
      at += request.size;
    } catch (stop) {
      if (!(stop instanceof Malformed || stop instanceof Partial)) throw stop;
      return { requests, rest, malformed: stop instanceof Malformed };
    }
  }
}

/** RFC 9112 2.2: one empty line before it is no fault. */
function readOne(text: string): StrictRequest {
  const start = text.startsWith("\r\n") ? 2 : 0;
  const [lines, end] = section(text, start);
  const [, method, target, minor] = REQUEST_LINE.exec(lines[0] ?? "") ?? stopped();
  const fields = lines.slice(1).map(field);
  const valuesOf = (name: string) => fields.filter(([each]) => each === name).map(([, value]) => value);
  const hosts = valuesOf("host"), lengths = valuesOf("content-length");
  const codings = valuesOf("transfer-encoding");
  if (hosts.length > 1 || hosts.length === 0 && minor === "1") throw new Malformed();
  if (codings.length > 0) {
    const good = codings.length === 1 && codings[0].toLowerCase() === "chunked" && lengths.length === 0;
    if (!good || minor === "0") throw new Malformed();
    const { content, end: last } = chunks(text, end);
    return { method, target, framing: "chunked", content, size: last };
  }
  if (lengths.length === 0) return { method, target, framing: "none", content: "", size: end };
  if (lengths.length > 1 || !/^[0-9]{1,15}$/.test(lengths[0])) throw new Malformed();
  const last = end + Number(lengths[0]);
  if (last > text.length) throw new Partial();
  return { method, target, framing: "length", content: text.slice(end, last), size: last };
}

function chunks(text: string, from: number): { content: string; end: number } {
  let content = "";
  for (let at = from;;) {
    const next = lineEnd(text, at), [, digits] = CHUNK_LINE.exec(text.slice(at, next - 2)) ?? stopped();
    const size = parseInt(digits, 16);
    if (size === 0) {
      const [trailers, end] = section(text, next);
      trailers.forEach(field);
      return { content, end };
    }
    if (next + size + 2 > text.length) {
      if (!"\r\n".startsWith(text.slice(next + size, next + size + 2))) throw new Malformed();
      throw new Partial();
    }
    if (text.slice(next + size, next + size + 2) !== "\r\n") throw new Malformed();
    content += text.slice(next, next + size);
    at = next + size + 2;
  }
}

/** The lines up to an empty one, and where that ends. */
function section(text: string, from: number): [lines: string[], end: number] {
  const lines: string[] = [];
  for (let at = from;;) {
    const next = lineEnd(text, at), line = text.slice(at, next - 2);
    if (line === "") return [lines, next];
    lines.push(line);
    at = next;
  }
}

/** Where the line ends, behind its CRLF: each of these octets alone is no end, and no part of a line. */
function lineEnd(text: string, from: number): number {
  // deno-lint-ignore no-control-regex -- the octets that RFC 9112 leaves no place for
  const stop = /[\0-\x08\x0a-\x1f\x7f]/g;
  stop.lastIndex = from;
  const found = stop.exec(text);
  if (!found || found[0] === "\r" && found.index === text.length - 1) throw new Partial();
  if (text.slice(found.index, found.index + 2) !== "\r\n") throw new Malformed();
  return found.index + 2;
}

function field(line: string): [name: string, value: string] {
  const [, name, value] = FIELD_LINE.exec(line) ?? stopped();
  return [name.toLowerCase(), value];
}

function stopped(): never {
  throw new Malformed();
}
