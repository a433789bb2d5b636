/** Socket addresses: IPv4, IPv6 and unix, to and from what the kernel takes. */
import { formatIp, type Ip, parseIp } from "../address.ts";
import type { Target } from "../contracts.ts";
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
}

const isMapped = (ip: Ip): boolean => {
  for (let i = 0; i < 10; i++) if (ip[i] !== 0) return false;
  return ip[10] === 0xff && ip[11] === 0xff;
};

/** sockaddr_in (16 bytes) for IPv4, sockaddr_in6 (28 bytes) for IPv6. */
export function ipSocketAddress(ip: Ip, port: number): SocketAddress {
  const v4 = isMapped(ip);
  const bytes = new Uint8Array(v4 ? 16 : 28);
  bytes[0] = v4 ? AF_INET : AF_INET6; // sa_family_t is little-endian on both CPUs
  bytes[2] = port >> 8;
  bytes[3] = port;
  if (v4) for (let i = 0; i < 4; i++) bytes[4 + i] = ip[12 + i];
  else bytes.set(ip, 8);
  return { family: bytes[0], bytes };
}

/** sockaddr_un: a path ends with NUL, an abstract name (`@name`) begins with it. */
export function unixSocketAddress(name: string): SocketAddress {
  const abstract = name.startsWith("@");
  const path = new TextEncoder().encode(abstract ? name.slice(1) : name);
  if (path.length === 0 || path.length >= UNIX_PATH_MAX - 1) {
    throw new GateError("malformed", "gate", `Cannot use unix:${name}: expected a path of 1 to 106 bytes`);
  }
  const bytes = new Uint8Array(2 + path.length + 1);
  bytes[0] = AF_UNIX;
  bytes.set(path, abstract ? 3 : 2);
  return { family: AF_UNIX, bytes };
}

/** The address of a target whose host is an IP literal or `unix:`; a name is a mistake of the caller. */
export function socketAddress(target: Target): SocketAddress {
  if (target.host.startsWith("unix:")) return unixSocketAddress(target.host.slice(5));
  const ip = parseIp(target.host);
  if (!ip) throw new GateError("internal", "gate", `Cannot dial ${target.host}: not an address`);
  return ipSocketAddress(ip, target.port);
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
