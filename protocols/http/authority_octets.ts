/** Whether octets are the authority of an http URI (RFC 9110 4.2, RFC 3986 3.2): a host and perhaps a port. */
import { parseAnyIp, parseIp } from "../../gate/address.ts";
import { COLON, HEX } from "./octets.ts";

const DOT = 0x2e;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const LARGEST_PORT = 65535;
const LONGEST_NAME = 253;
/** An IPv6 address with an IPv4 one in it. */
const LONGEST_V6 = 45;
const SEPARATOR = 2;
/** What only parts of an IPv4 address look like, as inet_aton reads them. */
const NUMBERS = /^(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?$/i;
/** SEPARATOR for the dot, 1 for what a label has. */
const NAME = Uint8Array.from({ length: 256 }, (_, octet) => {
  return octet === DOT ? SEPARATOR : /[-\w]/.test(String.fromCharCode(octet)) ? 1 : 0;
});

/**
 * A name in A-labels (letters, digits, `-`, `_`, single dots), an IPv4 address or an IPv6 one in brackets; then
 * perhaps a colon and a port, which `portNeeded` insists on. No user information, no percent-encoding, no zone.
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number, portNeeded = false): boolean {
  const host = bytes[start] === OPEN && start < end ? v6End(bytes, start, end) : nameEnd(bytes, start, end);
  if (host <= start) return false;
  if (host === end) return !portNeeded;
  return bytes[host] === COLON && isPort(bytes, host + 1, end, portNeeded);
}

function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let label = 0; at < end; at++) {
    const sign = NAME[bytes[at]];
    if (sign === 0) break;
    if (sign === SEPARATOR && label === 0) return start;
    label = sign === SEPARATOR ? 0 : 1;
  }
  if (at - start > LONGEST_NAME) return start;
  return HEX[bytes[start]] <= 9 && isNoAddress(bytes, start, at) ? start : at;
}

/** Numbers and dots that no address is spelled by: it is no name either, and servers differ in what they make of it. */
function isNoAddress(bytes: Uint8Array, start: number, end: number): boolean {
  if (isQuad(bytes, start, end)) return false;
  const text = String.fromCharCode(...bytes.subarray(start, end));
  return NUMBERS.test(text) && !parseAnyIp(text);
}

/** As nearly all addresses are written. */
function isQuad(bytes: Uint8Array, start: number, end: number): boolean {
  let dots = 0, value = -1;
  for (let at = start; at < end; at++) {
    const digit = HEX[bytes[at]];
    if (bytes[at] === DOT) dots++;
    else if (digit > 9 || value === 0) return false;
    value = bytes[at] === DOT ? -1 : Math.max(0, 10 * value) + digit;
    if (value > 255) return false;
  }
  return dots === 3 && value >= 0;
}

/** Rare enough for a string. */
function v6End(bytes: Uint8Array, start: number, end: number): number {
  const most = Math.min(end, start + LONGEST_V6 + 2);
  let close = start + 1;
  while (close < most && bytes[close] !== CLOSE) close++;
  if (close >= most) return start;
  const text = String.fromCharCode(...bytes.subarray(start + 1, close));
  return text.includes(":") && parseIp(text) ? close + 1 : start;
}

/** Digits of a port from 1; none at all only where none is needed. */
function isPort(bytes: Uint8Array, start: number, end: number, needed: boolean): boolean {
  let port = 0;
  for (let at = start; at < end; at++) {
    if (HEX[bytes[at]] > 9 || at - start > 4) return false;
    port = port * 10 + HEX[bytes[at]];
  }
  return start === end ? !needed : port > 0 && port <= LARGEST_PORT;
}
