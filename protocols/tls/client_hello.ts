/**
 * The ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) as far as routing needs it: whom the client asks for, and which
 * protocols it offers inside.
 */
import { normalName, parseAnyIp } from "../../gate/address.ts";
import type { Verdict } from "../../gate/streams.ts";
import { Vector } from "./vector.ts";

export interface ClientHello {
  /** RFC 6066 3, as a normal name. An IP literal is none, though clients send it. */
  readonly serverName?: string;
  /** RFC 7301, in the client's order, without GREASE (RFC 8701); at most MOST_PROTOCOLS. */
  readonly alpn: readonly string[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** RFC 8446 5.1. */
const LARGEST_RECORD = 2 ** 14;
/** A hello of 16 KiB and the headers of its records: four times what post-quantum key shares need today. */
const MOST_BYTES = 17 * 1024;
const RANDOM = 32;
const LONGEST_SESSION_ID = 32;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;
const LONGEST_NAME = 254;
const MOST_PROTOCOLS = 8;
const VISIBLE = /^[\x21-\x7e]+$/;

/** Whether `head` begins with a record in which a ClientHello begins: six bytes decide. */
export function sniffClientHello(head: Uint8Array): Verdict {
  const length = head.length;
  if (length > 0 && head[0] !== HANDSHAKE) return false;
  if (length > 1 && head[1] !== 3) return false;
  if (length > 2 && head[2] > 4) return false;
  if (length > 4 && recordSize(head, 0) === 0) return false;
  if (length > RECORD_HEADER && head[RECORD_HEADER] !== CLIENT_HELLO) return false;
  return length > RECORD_HEADER || RECORD_HEADER + 1;
}

/** The ClientHello that `head` begins with; a number: the bytes needed in all; false: it is broken, or too large. */
export function readClientHello(head: Uint8Array): ClientHello | number | false {
  const verdict = sniffClientHello(head);
  if (verdict !== true) return verdict;
  const message = readMessage(head);
  return message instanceof Uint8Array ? parseHello(message) : message;
}

/** The body of the first handshake message, which may be split over records at any byte (RFC 8446 5.1). */
function readMessage(head: Uint8Array): Uint8Array | number | false {
  let gathered = 0;
  let header = 0; // the message's type and its length in three bytes
  for (let at = 0; at < MOST_BYTES;) {
    if (head.length < at + RECORD_HEADER) return at + RECORD_HEADER;
    const record = recordSize(head, at);
    const end = at + RECORD_HEADER + record;
    if (record === 0 || end > MOST_BYTES) return false;
    if (head.length < end) return end;
    for (let i = end - record; i < end && gathered + i - (end - record) < MESSAGE_HEADER; i++) {
      header = header << 8 | head[i];
    }
    gathered += record;
    at = end;
    const size = header & 0xffffff;
    if (gathered < MESSAGE_HEADER) continue;
    if (size + MESSAGE_HEADER > MOST_BYTES) return false;
    if (gathered >= size + MESSAGE_HEADER) return gather(head, size);
  }
  return false;
}

/** `size` bytes behind the message's header. In one record, as nearly always, they are shown without a copy. */
function gather(head: Uint8Array, size: number): Uint8Array {
  const body = RECORD_HEADER + MESSAGE_HEADER;
  if (recordSize(head, 0) >= size + MESSAGE_HEADER) return head.subarray(body, body + size);
  const message = new Uint8Array(size + MESSAGE_HEADER);
  for (let at = 0, gathered = 0; gathered < message.length;) {
    const record = Math.min(recordSize(head, at), message.length - gathered);
    message.set(head.subarray(at + RECORD_HEADER, at + RECORD_HEADER + record), gathered);
    gathered += record;
    at += RECORD_HEADER + record;
  }
  return message.subarray(MESSAGE_HEADER);
}

/** 0: not a handshake record, empty (RFC 8446 5.1 forbids it), or too large. */
function recordSize(head: Uint8Array, at: number): number {
  const size = head[at + 3] << 8 | head[at + 4];
  return head[at] === HANDSHAKE && head[at + 1] === 3 && size <= LARGEST_RECORD ? size : 0;
}

function parseHello(body: Uint8Array): ClientHello | false {
  const hello = new Vector(body);
  const version = hello.uint(2);
  hello.skip(RANDOM);
  const sessionId = hello.vector(1);
  const suites = hello.vector(2);
  const compression = hello.vector(1);
  const wrong = hello.failed || version >> 8 !== 3 || sessionId.left > LONGEST_SESSION_ID ||
    suites.left < 2 || suites.left % 2 !== 0 || compression.left < 1;
  if (wrong) return false;
  if (hello.left === 0) return { alpn: [] }; // RFC 5246 7.4.1.2: without extensions
  const extensions = hello.vector(2);
  return hello.left > 0 || hello.failed ? false : parseExtensions(extensions);
}

function parseExtensions(extensions: Vector): ClientHello | false {
  let serverName: string | undefined | false, alpn: readonly string[] | false | undefined;
  let named = false;
  while (extensions.left > 0) {
    const type = extensions.uint(2);
    if (type !== SERVER_NAME && type !== ALPN) {
      extensions.skipVector(2);
      if (extensions.failed) return false;
      continue;
    }
    const data = extensions.vector(2);
    if (extensions.failed) return false;
    if (type === SERVER_NAME) {
      // A second one is broken (RFC 8446 4.2): two servers could each believe another of them.
      if (named) return false;
      named = true;
      serverName = parseServerName(data);
    } else {
      if (alpn !== undefined) return false;
      alpn = parseProtocols(data);
    }
    if (serverName === false || alpn === false) return false;
  }
  return { serverName: serverName || undefined, alpn: alpn || [] };
}

/** RFC 6066 3: a list of one host name; other kinds of names were never defined. */
function parseServerName(data: Vector): string | undefined | false {
  const list = data.vector(2);
  const type = list.uint(1);
  const name = list.vector(2);
  if (data.failed || list.failed || data.left > 0 || list.left > 0 || type !== HOST_NAME) return false;
  if (name.left === 0 || name.left > LONGEST_NAME) return false;
  const text = name.latin1();
  if (text.includes(":") || parseAnyIp(text)) return undefined;
  return normalName(text) ?? false;
}

/** RFC 7301 3.1. */
function parseProtocols(data: Vector): readonly string[] | false {
  const list = data.vector(2);
  if (data.failed || data.left > 0 || list.left === 0) return false;
  const protocols: string[] = [];
  while (list.left > 0) {
    const name = list.vector(1);
    if (list.failed || name.left === 0) return false;
    const text = name.latin1();
    if (protocols.length < MOST_PROTOCOLS && VISIBLE.test(text)) protocols.push(text);
  }
  return protocols;
}
