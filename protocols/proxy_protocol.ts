/**
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): who connected to the one before us. Read from
 * trusted sources as a preface, written to upstreams that want it.
 */
import { formatIp, type Ip, isV4, parseIp } from "../gate/address.ts";
import type { Peer, Protocol } from "../gate/contracts.ts";
import type { Stream, Verdict } from "../gate/streams.ts";
import { GateError } from "../gate/errors.ts";
import { quote } from "./common/named.ts";
import { sniffPrefix } from "./common/prefix.ts";

/** Where a connection comes from, or went to: an IP literal and a port. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

interface Header {
  readonly used: number;
  readonly source: Partial<Peer>;
}

const encoder = new TextEncoder();
const V1 = encoder.encode("PROXY ");
const V1_LONGEST = 107;
const V1_UNKNOWN = /^PROXY UNKNOWN(?: .*)?$/;
const V1_KNOWN = /^PROXY (TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;

const V2 = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const V2_HEADER = 16;
/** Of addresses and TLVs; the longest TLVs in use carry a client certificate's names. */
const V2_LONGEST = 4096;
const LOCAL = 0x20;
const PROXIED = 0x21;
/** Address family in the high half: bytes of one address, and of the whole block. */
const FAMILIES: Readonly<Record<number, { address: number; block: number }>> = {
  0: { address: 0, block: 0 },
  1: { address: 4, block: 12 },
  2: { address: 16, block: 36 },
  3: { address: 0, block: 216 },
};
const UNIX = 3;
/** UNSPEC, STREAM, DGRAM. */
const MOST_TRANSPORT = 2;

/** Whether `head` begins with a PROXY header: also to keep an untrusted one away from a fallback. */
function sniffProxyHeader(head: Uint8Array): Verdict {
  const v1 = sniffPrefix(head, V1), v2 = sniffPrefix(head, V2);
  if (v1 === true || v2 === true) return true;
  return v1 !== false ? v1 : v2;
}

/** Reads exactly the header, which has to be there. {}: it says nothing about the source (LOCAL, UNKNOWN). */
async function preface(stream: Stream): Promise<Partial<Peer>> {
  return (await stream.next(readProxyHeader)).source;
}

/** A number: the bytes needed in all. Throws GateError malformed. */
export function readProxyHeader(bytes: Uint8Array): Header | number {
  if (bytes.length === 0) return 1;
  const v2 = sniffPrefix(bytes, V2);
  if (v2 !== false) return bytes.length < V2_HEADER ? V2_HEADER : readV2(bytes);
  const v1 = sniffPrefix(bytes, V1);
  if (v1 === false) throw malformed("the client sent none");
  return typeof v1 === "number" ? v1 : readV1(bytes);
}

function readV1(bytes: Uint8Array): Header | number {
  const end = bytes.subarray(0, V1_LONGEST).indexOf(0x0a);
  if (end < 0 && bytes.length < V1_LONGEST) return bytes.length + 1;
  if (end < 0 || bytes[end - 1] !== 0x0d) throw malformed(`version 1 has no CRLF within ${V1_LONGEST} bytes`);
  const line = String.fromCharCode(...bytes.subarray(0, end - 1));
  const used = end + 1;
  if (V1_UNKNOWN.test(line)) return { used, source: {} };
  const [, family, source, destination, sourcePort, destinationPort] = V1_KNOWN.exec(line) ?? [];
  const ip = source && ipOfFamily(source, family);
  if (!ip || !ipOfFamily(destination, family) || Math.max(+sourcePort, +destinationPort) > 65535) {
    throw malformed(quote(line));
  }
  return { used, source: { address: formatIp(ip), port: +sourcePort } };
}

function ipOfFamily(address: string, family: string): Ip | undefined {
  return address.includes(":") === (family === "TCP6") ? parseIp(address) : undefined;
}

function readV2(bytes: Uint8Array): Header | number {
  const command = bytes[12], size = bytes[14] << 8 | bytes[15];
  if (command !== LOCAL && command !== PROXIED) {
    throw malformed(`version and command 0x${command.toString(16)}`);
  }
  const number = bytes[13] >> 4;
  const family = FAMILIES[number];
  if (!family || (bytes[13] & 0xf) > MOST_TRANSPORT) throw malformed(`family 0x${bytes[13].toString(16)}`);
  if (size > V2_LONGEST) throw malformed(`${size} bytes, more than ${V2_LONGEST}`);
  if (command === PROXIED && size < family.block) throw malformed(`${size} bytes for family ${number}`);
  const used = V2_HEADER + size;
  if (bytes.length < used) return used;
  if (command === LOCAL) return { used, source: {} };
  return { used, source: sourceOf(bytes, number, family.address) };
}

/** Addresses, source first; then ports, source first. */
function sourceOf(bytes: Uint8Array, family: number, size: number): Partial<Peer> {
  if (family === UNIX) return { address: "unix", port: undefined };
  if (size === 0) return {};
  const ip = new Uint8Array(16);
  if (size === 4) ip.fill(0xff, 10, 12);
  ip.set(bytes.subarray(V2_HEADER, V2_HEADER + size), 16 - size);
  const port = V2_HEADER + 2 * size;
  return { address: formatIp(ip), port: bytes[port] << 8 | bytes[port + 1] };
}

/**
 * The header for an upstream. Where one of the two is not known, or is no IP address (a unix socket), it says just
 * that. Of two families both become IPv6.
 */
export function proxyHeader(
  version: "v1" | "v2",
  source: Place | undefined,
  destination: Place | undefined,
): Uint8Array {
  const from = source && parseIp(source.address), to = destination && parseIp(destination.address);
  if (!from || !to) return version === "v1" ? encoder.encode("PROXY UNKNOWN\r\n") : v2Header(0, []);
  const v4 = isV4(from) && isV4(to);
  const ports = [source.port, destination.port];
  if (version === "v1") {
    const addresses = [from, to].map((ip) => v4 || !isV4(ip) ? formatIp(ip) : `::ffff:${formatIp(ip)}`);
    return encoder.encode(`PROXY ${v4 ? "TCP4" : "TCP6"} ${addresses.join(" ")} ${ports.join(" ")}\r\n`);
  }
  const addresses = [from, to].flatMap((ip) => [...v4 ? ip.subarray(12) : ip]);
  return v2Header(v4 ? 0x11 : 0x21, [...addresses, ...ports.flatMap((port) => [port >> 8, port & 0xff])]);
}

function v2Header(family: number, block: readonly number[]): Uint8Array {
  return Uint8Array.of(...V2, PROXIED, family, 0, block.length, ...block);
}

function malformed(state: string): GateError {
  return new GateError("malformed", "client", `Cannot read a PROXY header: ${state}`);
}

export const proxyProtocol: Protocol = { naming: "nothing", sniff: sniffProxyHeader, preface };
