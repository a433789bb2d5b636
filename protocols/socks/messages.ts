/** The messages of SOCKS: RFC 1928 (5), RFC 1929 (passwords), and the notes on 4 and 4A that served as standards. */
import { formatIp, parseIp, type Target } from "../../gate/address.ts";
import { GateError } from "../../gate/errors.ts";
import { namedTarget } from "../common/named.ts";

export const CONNECT = 1;
export const NO_AUTHENTICATION = 0;
export const PASSWORD = 2;
/** RFC 1928 3: the answer when no offered method will do. */
export const NO_ACCEPTABLE_METHOD = 0xff;

const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;
/** Of the user id and the name in SOCKS4, both of which end with NUL. */
const LONGEST_TEXT = 255;

/** RFC 1928 3: which of the methods spoken here the client offers. */
export interface Greeting {
  readonly used: number;
  readonly version: 5;
  readonly offers: { readonly none: boolean; readonly password: boolean };
}

/** `target` is undefined where the address is of an unknown kind (`known` false), or is no address. */
export interface Request {
  readonly used: number;
  readonly version: 4 | 5;
  readonly command: number;
  readonly known: boolean;
  readonly text: string;
  readonly target: Target | undefined;
}

/** RFC 1929 2. */
export interface Login {
  readonly used: number;
  readonly user: string;
  readonly password: string;
}

/** What a client opens with: the greeting of SOCKS5, or the whole request of SOCKS4. */
export function readOpening(bytes: Uint8Array): Greeting | Request | number {
  if (bytes.length < 2) return 2;
  if (bytes[0] === 4) return readRequest4(bytes);
  if (bytes[0] !== 5) throw malformed("SOCKS", `version ${bytes[0]}`);
  const used = 2 + bytes[1];
  if (bytes.length < used) return used;
  const methods = bytes.subarray(2, used);
  const offers = { none: methods.includes(NO_AUTHENTICATION), password: methods.includes(PASSWORD) };
  return { used, version: 5, offers };
}

export function readLogin(bytes: Uint8Array): Login | number {
  if (bytes.length < 2) return 2;
  if (bytes[0] !== 1) throw malformed("a SOCKS5 login", `version ${bytes[0]}`);
  const userEnd = 2 + bytes[1];
  if (bytes.length <= userEnd) return userEnd + 1;
  const used = userEnd + 1 + bytes[userEnd];
  if (bytes.length < used) return used;
  return { used, user: utf8(bytes.subarray(2, userEnd)), password: utf8(bytes.subarray(userEnd + 1, used)) };
}

/** RFC 1928 4. The reserved byte is not judged. */
export function readRequest5(bytes: Uint8Array): Request | number {
  const address = readAddress(bytes, "a SOCKS5 request");
  if (typeof address === "number") return address;
  const { used, known, host, port } = address;
  return { used, version: 5, command: bytes[1], known, text: host, target: namedTarget(host, port) };
}

/** RFC 1928 6, as a client reads it: the reply code, and the bound address only for its length. */
export function readReply(bytes: Uint8Array): { used: number; code: number } | number {
  const address = readAddress(bytes, "a SOCKS5 reply", "upstream");
  if (typeof address === "number") return address;
  if (!address.known && bytes[1] === 0) throw malformed("a SOCKS5 reply", address.host, "upstream");
  return { used: address.used, code: bytes[1] };
}

/** What requests and replies have in common: version, a byte of meaning, reserved, and an address. */
function readAddress(bytes: Uint8Array, what: string, side: "client" | "upstream" = "client") {
  if (bytes.length < 4) return 4;
  if (bytes[0] !== 5) throw malformed(what, `version ${bytes[0]}`, side);
  const kind = bytes[3];
  if (kind !== IPV4 && kind !== NAME && kind !== IPV6) {
    return { used: 4, known: false, host: `address type ${kind}`, port: 0 };
  }
  if (bytes.length < 5) return 5;
  const from = kind === NAME ? 5 : 4;
  const to = from + (kind === IPV4 ? 4 : kind === IPV6 ? 16 : bytes[4]);
  if (bytes.length < to + 2) return to + 2;
  const address = bytes.subarray(from, to);
  const host = kind === IPV4 ? address.join(".") : kind === IPV6 ? formatIp(address) : utf8(address);
  return { used: to + 2, known: true, host, port: bytes[to] << 8 | bytes[to + 1] };
}

/** SOCKS4: version, command, port, address, user id, NUL. 4A: the address is 0.0.0.x, and a name with NUL follows. */
function readRequest4(bytes: Uint8Array): Request | number {
  if (bytes.length < 9) return 9;
  const userEnd = textEnd(bytes, 8);
  if (userEnd === undefined) return bytes.length + 1;
  const named = bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] !== 0;
  const nameEnd = named ? textEnd(bytes, userEnd + 1) : userEnd;
  if (nameEnd === undefined) return bytes.length + 1;
  const host = named ? utf8(bytes.subarray(userEnd + 1, nameEnd)) : bytes.subarray(4, 8).join(".");
  const target = namedTarget(host, bytes[2] << 8 | bytes[3]);
  return { used: nameEnd + 1, version: 4, command: bytes[1], known: true, text: host, target };
}

/** Where the NUL is; undefined: not there yet. */
function textEnd(bytes: Uint8Array, from: number): number | undefined {
  const end = bytes.subarray(from, from + LONGEST_TEXT + 1).indexOf(0);
  if (end >= 0) return from + end;
  if (bytes.length > from + LONGEST_TEXT) {
    throw malformed("a SOCKS4 request", `a text of more than ${LONGEST_TEXT} bytes`);
  }
  return undefined;
}

/** A client's request to connect: IP addresses as such, names for the proxy to resolve. */
export function connectRequest(target: Target): Uint8Array {
  const ip = parseIp(target.host);
  const v4 = ip !== undefined && !target.host.includes(":");
  const name = new TextEncoder().encode(target.host);
  const address = ip === undefined
    ? [NAME, name.length, ...name]
    : v4
    ? [IPV4, ...ip.subarray(12)]
    : [IPV6, ...ip];
  return Uint8Array.from([5, CONNECT, 0, ...address, target.port >> 8, target.port & 0xff]);
}

/** A client's login; user and password have 1 to 255 bytes each. */
export function loginRequest(user: Uint8Array, password: Uint8Array): Uint8Array {
  return Uint8Array.from([1, user.length, ...user, password.length, ...password]);
}

/** The bound address says nothing: it would tell the client about the inside of the network. */
export const reply5 = (code: number): Uint8Array => Uint8Array.from([5, code, 0, IPV4, 0, 0, 0, 0, 0, 0]);
export const reply4 = (code: number): Uint8Array => Uint8Array.from([0, code, 0, 0, 0, 0, 0, 0]);

export function malformed(what: string, state: string, side: "client" | "upstream" = "client"): GateError {
  return new GateError("malformed", side, `Cannot read ${what}: ${state}`);
}

const decoder = new TextDecoder();
const utf8 = (bytes: Uint8Array): string => decoder.decode(bytes);
