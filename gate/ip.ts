/** IP addresses and networks as bytes: every spelling of an address ends as the same sixteen of them. */

/** 16 bytes in network order; an IPv4 address is ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
export type Ip = Uint8Array;

/** A network. `bits` counts from the first of the 16 bytes, so an IPv4 /8 has 104. */
export interface Cidr {
  readonly base: Ip;
  readonly bits: number;
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,2})$/;
/** 0 octal, 0x hex or decimal, as inet_aton reads one part. */
const ATON_PART = /^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
/** Long enough for every name of the DNS; what is longer is no address either. */
const LONGEST_TEXT = 255;
const LONGEST_V6 = 45;
const DOT = 0x2e;
const COLON = 0x3a;

/** An address as standards write it: a dotted quad, or IPv6 (RFC 4291 2.2), without brackets and zone. */
export function parseIp(text: string): Ip | undefined {
  const quad = parseQuad(text);
  if (quad >= 0) return mapped(quad);
  return text.includes(":") ? parseV6(text) : undefined;
}

/** As parseIp, and every spelling of inet_aton: 1 to 4 parts, decimal, octal or hex, one dot behind them. */
export function parseAnyIp(text: string): Ip | undefined {
  if (text.includes(":")) return parseV6(text);
  const first = text.charCodeAt(0);
  if (!(first >= 0x30 && first <= 0x39) || text.length > LONGEST_TEXT) return undefined;
  const quad = parseQuad(text);
  if (quad >= 0) return mapped(quad);
  const value = parseAton(text.endsWith(".") ? text.slice(0, -1) : text);
  return value === undefined ? undefined : mapped(value);
}

/** The canonical text: a dotted quad for IPv4, else RFC 5952. */
export function formatIp(ip: Ip): string {
  if (isV4(ip)) return `${ip[12]}.${ip[13]}.${ip[14]}.${ip[15]}`;
  const [from, to] = longestZeros(ip);
  let text = "";
  for (let at = 0; at < 16; at += 2) {
    if (at === from) {
      text += "::";
      at = to - 2;
      continue;
    }
    if (text !== "" && at !== to) text += ":";
    text += (ip[at] << 8 | ip[at + 1]).toString(16);
  }
  return text;
}

/**
 * The address this one stands for: the IPv4 inside NAT64's well-known prefix (RFC 6052) and inside an
 * IPv4-compatible one, and this machine for the unspecified addresses, as Linux connects them.
 */
export function judgedIp(ip: Ip): Ip {
  let judged = ip;
  if (ip[15] <= 1 && isZero(ip, 0, 15)) return LOOPBACK_V6; // :: and ::1; the rest of ::/96 is IPv4
  if (isZero(ip, 0, 12) || (startsWith(ip, NAT64) && isZero(ip, 4, 12))) judged = mapped(lastWord(ip));
  if (isV4(judged) && isZero(judged, 12, 16)) return LOOPBACK_V4;
  return judged;
}

/** Whether the address, as it is, lies in 127.0.0.0/8 or is ::1. */
export function isLoopback(ip: Ip): boolean {
  return isV4(ip) ? ip[12] === 127 : ip[15] === 1 && isZero(ip, 0, 15);
}

/** Whether the address is an IPv4 one. */
export function isV4(ip: Ip): boolean {
  return ip[10] === 0xff && ip[11] === 0xff && isZero(ip, 0, 10);
}

export function sameIp(a: Ip, b: Ip): boolean {
  return commonBits(a, b, 128);
}

/** `10.0.0.0/8`, `fd00::/8`, or a bare address for a network of one. Bits behind the prefix are ignored. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (ip === undefined) return undefined;
  if (slash < 0) return { base: ip, bits: 128 };
  const length = text.slice(slash + 1);
  const quad = !text.includes(":");
  if (!DECIMAL.test(length) || Number(length) > (quad ? 32 : 128)) return undefined;
  const bits = Number(length) + (quad ? 96 : 0);
  for (let at = 0; at < 16; at++) {
    const kept = Math.min(8, Math.max(0, bits - 8 * at));
    ip[at] &= 0xff << (8 - kept);
  }
  return { base: ip, bits };
}

/** Whether the address lies in the network; `::/0` is all of IPv6 and none of IPv4. */
export function cidrHas(cidr: Cidr, ip: Ip): boolean {
  return commonBits(cidr.base, ip, cidr.bits) && (cidr.bits >= 96 || !isV4(ip));
}

/** Whether every address of `inner` lies in `outer`. */
export function cidrWithin(inner: Cidr, outer: Cidr): boolean {
  return inner.bits >= outer.bits && cidrHas(outer, inner.base);
}

const LOOPBACK_V4 = mapped(0x7f000001);
const LOOPBACK_V6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const NAT64 = Uint8Array.of(0x00, 0x64, 0xff, 0x9b);

function mapped(v4: number): Ip {
  const ip = new Uint8Array(16); // filled byte by byte: Uint8Array.of takes ten times as long
  ip[10] = ip[11] = 0xff;
  ip[12] = v4 >>> 24;
  ip[13] = v4 >>> 16;
  ip[14] = v4 >>> 8;
  ip[15] = v4;
  return ip;
}

function lastWord(ip: Ip): number {
  return ip[12] << 24 | ip[13] << 16 | ip[14] << 8 | ip[15];
}

function isZero(ip: Ip, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (ip[at] !== 0) return false;
  return true;
}

function startsWith(ip: Ip, prefix: Uint8Array): boolean {
  return prefix.every((byte, at) => ip[at] === byte);
}

function commonBits(a: Ip, b: Ip, bits: number): boolean {
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) if (a[at] !== b[at]) return false;
  const rest = bits & 7;
  return rest === 0 || (a[whole] ^ b[whole]) >> (8 - rest) === 0;
}

/** The first of the longest runs of at least two zero groups, as byte offsets (RFC 5952 4.2). */
function longestZeros(ip: Ip): [from: number, to: number] {
  let best: [number, number] = [-1, -1];
  let length = 2;
  for (let from = 0; from < 16; from += 2) {
    let to = from;
    while (to < 16 && ip[to] === 0 && ip[to + 1] === 0) to += 2;
    if (to - from > length) [best, length] = [[from, to], to - from];
    if (to > from) from = to;
  }
  return best;
}

/** A dotted quad as unsigned 32 bits, without an allocation: each part 0 to 255, no leading zero; -1: it is none. */
export function parseQuad(text: string): number {
  if (text.length > 15) return -1;
  let value = 0, part = -1, parts = 1;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit === DOT - 0x30 && part >= 0) {
      value = value * 256 + part;
      part = -1;
      parts++;
    } else if (digit >= 0 && digit <= 9 && part !== 0) {
      part = Math.max(0, part) * 10 + digit;
      if (part > 255) return -1;
    } else return -1;
  }
  return parts === 4 && part >= 0 ? value * 256 + part : -1;
}

/** Every spelling of inet_aton as unsigned 32 bits: 1 to 4 parts, of which the last one fills what is left. */
function parseAton(text: string): number | undefined {
  const parts = text.split(".", 5);
  if (parts.length > 4) return undefined;
  let value = 0;
  for (let i = 0; i < parts.length; i++) {
    if (!ATON_PART.test(parts[i])) return undefined;
    const octal = parts[i].charCodeAt(0) === 0x30 && !/[xX]/.test(parts[i]);
    const number = octal ? parseInt(parts[i], 8) : Number(parts[i]);
    const room = i === parts.length - 1 ? 2 ** (8 * (4 - i)) : 256;
    if (number >= room) return undefined;
    value = value * room + number;
  }
  return value;
}

function parseV6(text: string): Ip | undefined {
  if (text.length > LONGEST_V6) return undefined;
  const ip = new Uint8Array(16);
  let filled = 0;
  let gap = -1;
  let at = 0;
  if (text.startsWith("::")) gap = 0;
  if (gap === 0) at = 2;
  while (at < text.length) {
    const start = at;
    let group = 0;
    for (let digit; at < text.length && (digit = hexDigit(text.charCodeAt(at))) >= 0; at++) {
      group = group * 16 + digit;
    }
    if (text.charCodeAt(at) === DOT) {
      const v4 = filled > 12 ? -1 : parseQuad(text.slice(start));
      if (v4 < 0) return undefined;
      for (let shift = 24; shift >= 0; shift -= 8) ip[filled++] = v4 >>> shift;
      break;
    }
    if (at === start || at - start > 4 || filled === 16) return undefined;
    ip[filled++] = group >> 8;
    ip[filled++] = group;
    if (at === text.length) break;
    if (text.charCodeAt(at++) !== COLON || at === text.length) return undefined;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return undefined;
      gap = filled;
      at++;
    }
  }
  if (gap < 0) return filled === 16 ? ip : undefined;
  if (filled === 16) return undefined;
  ip.copyWithin(16 - (filled - gap), gap, filled);
  return ip.fill(0, gap, 16 - (filled - gap));
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
