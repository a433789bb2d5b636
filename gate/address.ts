/** Names and targets in one spelling each; what is an IP address is in ip.ts. */
import { formatIp, parseAnyIp, parseIp } from "./ip.ts";

export * from "./ip.ts";

/** `host` is a name, an IP literal without brackets, or `unix:/path`, `unix:@abstract` (port 0 then). */
export interface Target {
  readonly host: string;
  readonly port: number;
}

const UNIX = "unix:";
/** Fits sockaddr_un.sun_path (108 bytes) with a NUL before or behind. */
const LONGEST_UNIX = 106;
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;
const DOT = 0x2e;
const PORT = /^[1-9][0-9]{0,4}$/;
/** "Ends in a number" (WHATWG URL 3.5): such a text is an address or a mistake, and never a name. */
const NUMBER_LAST = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

/**
 * A DNS name as it is compared: lower case, A-labels (UTS 46), no dot at the end; at most 253 bytes, labels of 1 to
 * 63. Underscores are allowed (RFC 8552). undefined: not a name, as every spelling of an IP address is none.
 */
export function normalName(text: string): string | undefined {
  const ascii = asciiHost(text);
  return ascii === undefined ? undefined : nameOf(ascii);
}

/** A pattern of hosts: a name, `*.name` or `*`, in the form hostMatches wants. */
export function normalPattern(text: string): string | undefined {
  if (text === "*") return text;
  if (!text.startsWith("*.")) return normalName(text);
  const name = normalName(text.slice(2));
  return name === undefined ? undefined : `*.${name}`;
}

/** Whether a normal pattern covers a normal name: `*.host` at any depth but not the apex, `*` everything. */
export function hostMatches(pattern: string, name: string): boolean {
  if (pattern.charCodeAt(0) !== 0x2a) return pattern === name;
  return pattern.length === 1 || (name.length > pattern.length - 1 && name.endsWith(pattern.slice(1)));
}

/** `host:port`, `[v6]:port`, `unix:/path` or `unix:@abstract`, its host in canonical form; ports from 1. */
export function parseTarget(text: string): Target | undefined {
  if (text.startsWith(UNIX)) return isUnix(text) ? { host: text, port: 0 } : undefined;
  const colon = text.lastIndexOf(":");
  const port = text.slice(colon + 1);
  if (colon < 1 || !PORT.test(port) || Number(port) > 65535) return undefined;
  const host = hostBefore(text.slice(0, colon));
  return host === undefined ? undefined : { host, port: Number(port) };
}

/** The text parseTarget reads. */
export function formatTarget(target: Target): string {
  if (target.host.startsWith(UNIX)) return target.host;
  return target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
}

/**
 * The one spelling of a host that a client or an operator wrote: an address as formatIp has it, a normal name, or a
 * unix socket. undefined: none of these; zone ids, brackets and paths with `//`, `.` or `..` are refused.
 */
export function canonicalHost(host: string): string | undefined {
  if (host.startsWith(UNIX)) return isUnix(host) ? host : undefined;
  if (host.includes(":")) {
    const v6 = parseIp(host);
    return v6 === undefined ? undefined : formatIp(v6);
  }
  const ascii = asciiHost(host);
  if (ascii === undefined) return undefined;
  const ip = parseAnyIp(ascii);
  return ip === undefined ? nameOf(ascii) : formatIp(ip);
}

/** Whether the host is a unix socket and no place of the network. */
export function isUnixHost(host: string): boolean {
  return host.startsWith(UNIX);
}

function hostBefore(text: string): string | undefined {
  if (!text.startsWith("[")) return text.includes(":") ? undefined : canonicalHost(text);
  if (!text.endsWith("]") || !text.includes(":")) return undefined;
  return canonicalHost(text.slice(1, -1));
}

/** A path has one spelling here: which file a symlink leads to cannot be known without asking the disk. */
function isUnix(text: string): boolean {
  if (text.includes("\0") || new TextEncoder().encode(text).length - UNIX.length > LONGEST_UNIX) return false;
  const rest = text.slice(UNIX.length);
  if (rest.startsWith("@")) return rest.length > 1;
  return rest.startsWith("/") && rest.slice(1).split("/").every((part) => !["", ".", ".."].includes(part));
}

/** The text with only the letters, digits, `-`, `_` and `.` of ASCII left in it, or undefined. */
function asciiHost(text: string): string | undefined {
  let foreign = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) foreign = true;
    else if (!isNameCode(code)) return undefined;
  }
  if (!foreign) return text;
  if (text.length > LONGEST_NAME || !URL.canParse(`http://${text}`)) return undefined;
  return new URL(`http://${text}`).hostname;
}

function isNameCode(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a && code >= 0x41) || (code >= 0x30 && code <= 0x39) ||
    code === 0x2d || code === DOT || code === 0x5f;
}

/** The normal name in a text of asciiHost. */
function nameOf(ascii: string): string | undefined {
  const end = ascii.endsWith(".") ? ascii.length - 1 : ascii.length;
  if (end < 1 || end > LONGEST_NAME) return undefined;
  let label = 0, upper = false;
  for (let at = 0; at < end; at++) {
    const code = ascii.charCodeAt(at);
    upper ||= code >= 0x41 && code <= 0x5a;
    if (code !== DOT) label++;
    else if (label === 0 || label > LONGEST_LABEL) return undefined;
    else label = 0;
  }
  if (label === 0 || label > LONGEST_LABEL) return undefined;
  const text = end === ascii.length ? ascii : ascii.slice(0, end);
  const name = upper ? text.toLowerCase() : text;
  const first = name.charCodeAt(end - label); // of the last label: a number begins with a digit
  return first >= 0x30 && first <= 0x39 && NUMBER_LAST.test(name) ? undefined : name;
}
