/**
 * The head of an HTTP/1.1 request (RFC 9112), read strictly: who operates a gate speaks it well, and what is ambiguous
 * is refused. It comes whole.
 *
 * A reader of its own: the one of protocols/http/ keeps places in octets for what goes on to an upstream, in memory of
 * its thread, and with what a proxy may let pass. Here a few fields are asked for by name, and nothing goes on.
 */

/** What a client is told instead of an answer. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export interface Head {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** As it came; undefined: none, or an empty one. In absolute form the target has its own, which has to be the same. */
  readonly host: string | undefined;
  /** By name in lower case; several of a name are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body. */
  readonly length: number;
  /** Whether the client may send another request on this connection. */
  readonly persistent: boolean;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\uffff]*)$/;
/** RFC 9112 3.2.1 and 3.2.2: the target of a request to a server. */
const ORIGIN_FORM = /^\/[^#]*$/, ABSOLUTE_FORM = /^http:\/\/([^/?#@]+)(\/[^#]*)?$/i;
const MOST_FIELDS = 100;
/** A name that comes twice changes whom or how much is meant (RFC 9112 3.2, 6.3). */
const ONCE = new Set(["host", "content-length", "origin", "sec-fetch-site", "sec-fetch-mode"]);

const latin1 = new TextDecoder("latin1");

/** Reads a head without its last empty line. Throws HttpRefusal. */
export function parseHead(bytes: Uint8Array): Head {
  const [first, ...lines] = latin1.decode(bytes).split("\r\n");
  const found = REQUEST_LINE.exec(first);
  if (!found) throw new HttpRefusal(400, "Cannot read the request: its first line is no HTTP/1.1");
  const [, method, target, minor] = found;
  const headers = parseFields(lines);
  const host = headers.get("host");
  if (host === undefined && minor === "1") {
    throw new HttpRefusal(400, "Cannot read the request: it has no Host");
  }
  const { path, query } = parseTarget(target, host);
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return {
    method,
    path,
    query: new URLSearchParams(query),
    host: host || undefined,
    headers,
    length: bodyLength(headers),
    persistent: minor === "1" && !/(^|,)\s*close\s*(,|$)/.test(connection),
  };
}

function parseFields(lines: readonly string[]): Map<string, string> {
  if (lines.length > MOST_FIELDS) {
    throw new HttpRefusal(431, `Cannot read the request: it has more than ${MOST_FIELDS} fields`);
  }
  const fields = new Map<string, string>();
  for (const line of lines) {
    const found = FIELD.exec(line);
    if (!found) throw new HttpRefusal(400, "Cannot read the request: a line of it is no field");
    const name = found[1].toLowerCase(), value = withoutSpace(found[2]), before = fields.get(name);
    if (before !== undefined && ONCE.has(name)) {
      throw new HttpRefusal(400, `Cannot read the request: it has ${name} twice`);
    }
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

/** Of spaces and tabs around it: a pattern that ends with them would look again from each one in the middle. */
function withoutSpace(text: string): string {
  let start = 0, end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

const isSpace = (character: string): boolean => character === " " || character === "\t";

function parseTarget(target: string, host: string | undefined): { path: string; query: string } {
  const absolute = ABSOLUTE_FORM.exec(target);
  if (!absolute && !ORIGIN_FORM.test(target)) {
    throw new HttpRefusal(400, "Cannot read the request: its target is no path");
  }
  if (absolute && absolute[1].toLowerCase() !== host?.toLowerCase()) {
    throw new HttpRefusal(421, "Cannot answer: the target names another host than Host does");
  }
  const local = absolute ? absolute[2] ?? "/" : target;
  const mark = local.indexOf("?");
  return mark < 0 ? { path: local, query: "" } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

/** Chunked bodies are not taken: their length is not known before they came. */
function bodyLength(headers: ReadonlyMap<string, string>): number {
  if (headers.has("transfer-encoding")) {
    throw new HttpRefusal(411, "Cannot read the body: it needs a Content-Length");
  }
  const text = headers.get("content-length") ?? "0";
  if (!/^[0-9]{1,15}$/.test(text)) {
    throw new HttpRefusal(400, "Cannot read the request: its Content-Length is no number");
  }
  return Number(text);
}
