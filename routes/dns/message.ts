/** DNS messages (RFC 1035 section 4): a question to bytes, and bytes to what answers it. */
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import { formatIp, normalName } from "../../gate/address.ts";

export interface Question {
  /** A normal name. */
  readonly name: string;
  readonly type: "A" | "AAAA" | "SRV";
}

/** One question on its way: its id is all that tells its answer from a forged one but for our port. */
export interface Query extends Question {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** `owner` and names in data are normal; "." is the root. `ttl` in seconds. */
export type DnsRecord =
  & { readonly owner: string; readonly ttl: number }
  & (
    | { readonly type: "A" | "AAAA"; readonly address: string }
    | { readonly type: "CNAME"; readonly target: string }
    | {
      readonly type: "SRV";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  );

/** What a server said. `negative`: how long, in seconds, its "no" holds (RFC 2308 section 5), where it said so. */
export interface Response {
  readonly rcode: number;
  readonly truncated: boolean;
  readonly answers: readonly DnsRecord[];
  readonly negative?: number;
}

/** What of dns-packet is used: the encoder, and names and SRV data of a bounded message. */
interface Codec {
  encode(message: object): Uint8Array<ArrayBuffer>;
  readonly name: { decode(bytes: Buffer, at: number): string };
  record(type: "SRV"): {
    decode(bytes: Buffer, at: number): { priority: number; weight: number; port: number; target: string };
  };
}
const codec: Codec = packet;

/** What fits one datagram on every path (RFC 9715): asked for by EDNS. */
const UDP_SIZE = 1232;
const RECURSION_DESIRED = 0x100;
const HEADER = 12;
const TYPES = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33 };
const IN = 1;

/** A question with an unpredictable id; `edns` asks for datagrams longer than 512 bytes (RFC 6891). */
export function newQuery(question: Question, edns: boolean): Query {
  const id = crypto.getRandomValues(new Uint16Array(1))[0];
  const { name, type } = question;
  const bytes = codec.encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: edns ? [{ type: "OPT", name: ".", udpPayloadSize: UDP_SIZE, flags: 0, options: [] }] : [],
  });
  return { name, type, id, bytes };
}

/**
 * What the bytes answer to this query; undefined: nothing, for they are garbage or answer another one. Additional
 * records are not even read: a server may say there what it likes about other names.
 */
export function readResponse(bytes: Uint8Array, query: Query): Response | undefined {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (message.length < HEADER || message.readUInt16BE(0) !== query.id) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & 0xf800) !== 0x8000 || message.readUInt16BE(4) !== 1) return undefined;
  try {
    const at = afterQuestion(message, query);
    return at === undefined ? undefined : readSections(message, at, flags);
  } catch {
    return undefined; // a length that leads out of the message, a name that leads back to itself
  }
}

/** Where the answers begin, if the one question is ours. */
function afterQuestion(message: Buffer, query: Query): number | undefined {
  const at = afterName(message, HEADER);
  const same = codec.name.decode(message, HEADER).toLowerCase() === query.name &&
    message.readUInt16BE(at) === TYPES[query.type] && message.readUInt16BE(at + 2) === IN;
  return same ? at + 4 : undefined;
}

function readSections(message: Buffer, start: number, flags: number): Response {
  const answers: DnsRecord[] = [];
  let negative: number | undefined;
  let at = start;
  const answerCount = message.readUInt16BE(6);
  const count = answerCount + message.readUInt16BE(8);
  const truncated = (flags & 0x200) !== 0;
  for (let i = 0; i < count && !truncated; i++) {
    const data = afterName(message, at) + 10;
    const end = data + message.readUInt16BE(data - 2);
    if (end > message.length) throw new RangeError("a record is longer than its message");
    if (i >= answerCount) negative ??= negativeTtl(message, data, end);
    else answers.push(...readRecord(message, at, data, end));
    at = end;
  }
  return { rcode: flags & 0xf, truncated, answers, negative };
}

/** The record at `at` whose data is from `data` to `end`; none where it is of no kind we asked for. */
function readRecord(message: Buffer, at: number, data: number, end: number): DnsRecord[] {
  const type = message.readUInt16BE(data - 10);
  if (message.readUInt16BE(data - 8) !== IN) return [];
  const record = readData(message, type, data, end);
  const owner = record && normalName(codec.name.decode(message, at));
  if (record === undefined || owner === undefined) return [];
  return [{ owner, ttl: readTtl(message, data), ...record }];
}

type Data<R = DnsRecord> = R extends unknown ? Omit<R, "owner" | "ttl"> : never;

function readData(message: Buffer, type: number, data: number, end: number): Data | undefined {
  const size = end - data;
  if (type === TYPES.A && size === 4) {
    return { type: "A", address: formatIp(Uint8Array.of(...MAPPED, ...message.subarray(data, end))) };
  }
  if (type === TYPES.AAAA && size === 16) {
    return { type: "AAAA", address: formatIp(message.subarray(data, end)) };
  }
  if (type === TYPES.CNAME) return { type: "CNAME", target: targetName(codec.name.decode(message, data)) };
  if (type !== TYPES.SRV || size < 7) return undefined;
  const { priority, weight, port, target } = codec.record("SRV").decode(message, data - 2);
  return { type: "SRV", priority, weight, port, target: targetName(target) };
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** "." for the root, and for what is no name: nobody lives there either. */
function targetName(text: string): string {
  return normalName(text) ?? ".";
}

/** The lesser of the SOA's own TTL and its MINIMUM, the last four bytes of its data. */
function negativeTtl(message: Buffer, data: number, end: number): number | undefined {
  if (message.readUInt16BE(data - 10) !== TYPES.SOA || end - data < 22) return undefined;
  return Math.min(readTtl(message, data), message.readUInt32BE(end - 4));
}

/** The TTL in front of the data; with the highest bit set it means 0 (RFC 2181 section 8). */
function readTtl(message: Buffer, data: number): number {
  const ttl = message.readUInt32BE(data - 6);
  return ttl > 0x7fffffff ? 0 : ttl;
}

/** Where what follows the name begins: behind its end, or behind its first pointer. */
function afterName(message: Buffer, at: number): number {
  for (;;) {
    const length = message.readUInt8(at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    at += length + 1;
  }
}
