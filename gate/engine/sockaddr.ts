/** Socket addresses: IPv4, IPv6 and unix, to and from what the kernel takes. */
import { formatIp, type Ip, isUnixHost, isV4, parseIp, parseQuad, type Target } from "../address.ts";
import { GateError } from "../errors.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "./layout.ts";
import { libc } from "./sys.ts";

/** sun_path of sockaddr_un. */
const UNIX_PATH_MAX = 108;
/** Large enough for any of the three. */
export const SOCKADDR_MAX = 2 + UNIX_PATH_MAX;

export interface SocketAddress {
  readonly family: number;
  readonly bytes: Uint8Array;
  /** How many of the bytes count. */
  readonly size: number;
}

/** One for the thread: a typed array costs half a microsecond, and every dial needs one. */
const shared = { family: 0, bytes: new Uint8Array(SOCKADDR_MAX), size: 0 };

/** sockaddr_in (16 bytes) for IPv4, sockaddr_in6 (28 bytes) for IPv6. */
export function ipSocketAddress(ip: Ip, port: number): SocketAddress {
  const address = { family: 0, bytes: new Uint8Array(28), size: 0 };
  writeIp(address, ip, port);
  return address;
}

function writeIp(into: { family: number; bytes: Uint8Array; size: number }, ip: Ip, port: number): void {
  if (isV4(ip)) return writeV4(into, ip[12] << 24 | ip[13] << 16 | ip[14] << 8 | ip[15], port);
  writeFamily(into, AF_INET6, 28, port);
  into.bytes.set(ip, 8);
}

function writeV4(into: { family: number; bytes: Uint8Array; size: number }, ip: number, port: number): void {
  writeFamily(into, AF_INET, 16, port);
  for (let i = 0; i < 4; i++) into.bytes[4 + i] = ip >>> (24 - 8 * i);
}

/** sa_family_t is little-endian on both CPUs, the port is in network order. */
function writeFamily(
  into: { family: number; bytes: Uint8Array; size: number },
  family: number,
  size: number,
  port: number,
) {
  into.bytes.fill(0, 0, size);
  into.bytes[0] = into.family = family;
  into.bytes[2] = port >> 8;
  into.bytes[3] = port;
  into.size = size;
}

/** sockaddr_un: a path ends with NUL, an abstract name (`@name`) begins with it. */
function writeUnix(into: { family: number; bytes: Uint8Array; size: number }, name: string): void {
  const abstract = name.startsWith("@");
  const path = new TextEncoder().encode(abstract ? name.slice(1) : name);
  if (path.length === 0 || path.length >= UNIX_PATH_MAX - 1) {
    throw new GateError("malformed", "gate", `Cannot use unix:${name}: expected a path of 1 to 106 bytes`);
  }
  into.bytes.fill(0);
  into.bytes[0] = into.family = AF_UNIX;
  into.bytes.set(path, abstract ? 3 : 2);
  into.size = 2 + path.length + 1;
}

/**
 * The address of a target whose host is an IP literal or `unix:`; a name is a mistake of the caller. Valid until the
 * next call on this thread.
 */
export function socketAddress({ host, port }: Target): SocketAddress {
  const quad = parseQuad(host);
  if (quad >= 0) writeV4(shared, quad, port);
  else if (isUnixHost(host)) writeUnix(shared, host.slice(5));
  else {
    const ip = parseIp(host);
    if (!ip) throw new GateError("internal", "gate", `Cannot dial ${host}: not an address`);
    writeIp(shared, ip, port);
  }
  return shared;
}

const ipBytes = new Uint8Array(16);

/** What the kernel wrote, of `size` bytes: text of the address, "unix" (or `unix:@name`) for a unix socket. */
export function readSocketAddress(bytes: Uint8Array, size: number): Target {
  const family = bytes[0];
  const port = (bytes[2] << 8) | bytes[3];
  if (family === AF_INET) return { host: `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`, port };
  if (family === AF_INET6) {
    ipBytes.set(bytes.subarray(8, 24));
    return { host: formatIp(ipBytes), port };
  }
  const path = bytes.subarray(3, size);
  return { host: size > 3 && bytes[2] === 0 ? `unix:@${new TextDecoder().decode(path)}` : "unix", port: 0 };
}

const local = new Uint8Array(SOCKADDR_MAX), localSize = new Uint32Array(1);
const localSizeBytes = new Uint8Array(localSize.buffer);

/** What the socket is bound to: undefined for a unix socket without a name, or no socket. */
export function localAddress(fd: number): Target | undefined {
  localSize[0] = SOCKADDR_MAX;
  if (libc.getsockname(fd, local, localSizeBytes) < 0) return undefined;
  const address = readSocketAddress(local, localSize[0]);
  return address.host === "unix" ? undefined : address;
}
