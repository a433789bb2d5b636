/** Whether an address is one of this machine's, now: a datagram socket can be bound to those only. */
import type { Ip } from "../address.ts";
import { SOCK_CLOEXEC, SOCK_DGRAM } from "./layout.ts";
import { ipSocketAddress } from "./sockaddr.ts";
import { libc } from "./sys.ts";

export function isOwnIp(ip: Ip): boolean {
  const { family, bytes, size } = ipSocketAddress(ip, 0);
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true; // without a descriptor to find out, the careful answer
  const bound = libc.bind(fd, bytes, size) === 0;
  libc.close(fd);
  return bound;
}
