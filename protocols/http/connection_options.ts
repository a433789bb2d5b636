/** Lists in fields: the options of Connection, the protocols of Upgrade, the codings of TE (RFC 9110 5.6.1). */
import { KIND } from "./field_kinds.ts";
import { type MessageHead, OPTION } from "./message_head.ts";
import { COMMA, HTAB, isToken, octets, SP, TOKEN, trimmedEnd } from "./octets.ts";

const SEMICOLON = 0x3b;
const CLOSE = octets("close");
const KEEP_ALIVE = octets("keep-alive");
const UPGRADE = octets("upgrade");
const WEBSOCKET = octets("websocket");
const TE = octets("te");
const HTTP2_SETTINGS = octets("http2-settings");
const H2C = octets("h2c");
const TRAILERS = octets("trailers");

/** Where the element of a list begins, at `at` or behind it; `end`: there is none any more. */
export function elementStart(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && (bytes[next] === COMMA || bytes[next] === SP || bytes[next] === HTAB)) next++;
  return next;
}

/** Where the element that begins at `at` is over: a comma, or the end. */
export function elementEnd(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && bytes[next] !== COMMA) next++;
  return next;
}

/** Adds the options of one Connection field to those of the head. */
export function readOptions(head: MessageHead, bytes: Uint8Array, start: number, end: number): void {
  for (let at = elementStart(bytes, start, end); at < end;) {
    const next = elementEnd(bytes, at, end);
    head.options |= optionOf(bytes, at, trimmedEnd(bytes, at, next));
    at = elementStart(bytes, next, end);
  }
}

function optionOf(bytes: Uint8Array, start: number, end: number): number {
  if (isToken(bytes, start, end, KEEP_ALIVE)) return OPTION.keepAlive;
  if (isToken(bytes, start, end, CLOSE)) return OPTION.close;
  if (isToken(bytes, start, end, UPGRADE)) return OPTION.upgrade;
  if (isToken(bytes, start, end, TE)) return OPTION.te;
  return isToken(bytes, start, end, HTTP2_SETTINGS) ? 0 : OPTION.named;
}

/** Whether a list has this token, parameters (RFC 9110 10.1.4) aside. */
function hasElement(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  for (let at = elementStart(bytes, start, end); at < end;) {
    const next = elementEnd(bytes, at, end);
    let name = at;
    while (name < next && bytes[name] !== SEMICOLON) name++;
    if (isToken(bytes, at, trimmedEnd(bytes, at, name), lower)) return true;
    at = elementStart(bytes, next, end);
  }
  return false;
}

/** Whether an Upgrade field asks for HTTP/2 in clear, which is served as HTTP/1.1 (RFC 9113 3.1). */
export const namesH2c = (bytes: Uint8Array, start: number, end: number) => hasElement(bytes, start, end, H2C);

export const namesTrailers = (bytes: Uint8Array, start: number, end: number) =>
  hasElement(bytes, start, end, TRAILERS);

/** Marks the lines that this Connection field names, of those that `mayDrop` allows. */
export function dropNamedBy(
  head: MessageHead,
  bytes: Uint8Array,
  connection: number,
  mayDrop: (kind: number) => boolean,
): void {
  const { kinds, drop, count } = head;
  const end = head.valueEnd(connection);
  for (let at = elementStart(bytes, head.valueStart(connection), end); at < end;) {
    const next = elementEnd(bytes, at, end), size = trimmedEnd(bytes, at, next) - at;
    for (let line = 0; line < count; line++) {
      const name = head.nameStart(line);
      if (head.nameEnd(line) - name !== size || !sameName(bytes, at, name, size)) continue;
      if (mayDrop(kinds[line])) drop[line] = 1;
    }
    at = elementStart(bytes, next, end);
  }
}

function sameName(bytes: Uint8Array, option: number, name: number, size: number): boolean {
  for (let i = 0; i < size; i++) {
    if (TOKEN[bytes[option + i]] !== TOKEN[bytes[name + i]]) return false;
  }
  return true;
}

/** Whether this response begins a WebSocket (RFC 6455 4.2.2). */
export function isWebSocket(head: MessageHead, bytes: Uint8Array): boolean {
  const line = head.find(KIND.upgrade);
  return line >= 0 && isToken(bytes, head.valueStart(line), head.valueEnd(line), WEBSOCKET);
}
