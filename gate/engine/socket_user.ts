/** Whose end of a connection on this machine is: the kernel tells by sock_diag(7), for TCP has no SO_PEERCRED. */
import { type Ip, isV4 } from "../ip.ts";
import { AF_INET, AF_INET6, IPPROTO_TCP, SOCK_CLOEXEC } from "./layout.ts";
import { libc } from "./sys.ts";

/** An address and port of a TCP socket. */
export interface SocketPlace {
  readonly ip: Ip;
  readonly port: number;
}

const AF_NETLINK = 16, SOCK_RAW = 3, NETLINK_SOCK_DIAG = 4, MSG_DONTWAIT = 0x40;
const SOCK_DIAG_BY_FAMILY = 20, NLM_F_REQUEST = 1;
/** struct nlmsghdr, then struct inet_diag_req_v2; the answer has struct inet_diag_msg behind its nlmsghdr. */
const HEADER = 16, REQUEST = HEADER + 56, ANSWER = HEADER + 72, UID = HEADER + 64, INODE = HEADER + 68;
/** Where struct inet_diag_sockid begins, in the request and in the answer. */
const SOCKET_ID = { request: HEADER + 8, answer: HEADER + 4 };
/** source port, destination port, source and destination address. */
const SOCKET_ID_SIZE = 36;
const EVERY_STATE = 0xffff_ffff, NO_COOKIE = 0xffff_ffff;

/** The user who made the socket at `own` that is connected to `other`; undefined: the kernel does not know, or tell. */
export function userOfSocket(own: SocketPlace, other: SocketPlace): number | undefined {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return undefined;
  try {
    const request = requestFor(own, other), answer = new Uint8Array(512);
    if (libc.send(fd, request, request.length, 0) !== request.length) return undefined;
    const size = libc.recv(fd, answer, answer.length, MSG_DONTWAIT); // the kernel has answered in send
    const view = new DataView(answer.buffer);
    if (size < ANSWER || view.getUint16(4, true) !== SOCK_DIAG_BY_FAMILY) return undefined;
    const asked = request.subarray(SOCKET_ID.request, SOCKET_ID.request + SOCKET_ID_SIZE);
    const told = answer.subarray(SOCKET_ID.answer, SOCKET_ID.answer + SOCKET_ID_SIZE);
    // A socket whose process has closed it has no inode, and would count as root's.
    const known = view.getUint32(INODE, true) !== 0 && asked.every((byte, i) => byte === told[i]);
    return known ? view.getUint32(UID, true) : undefined;
  } finally {
    libc.close(fd);
  }
}

function requestFor(own: SocketPlace, other: SocketPlace): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(REQUEST), view = new DataView(bytes.buffer), v4 = isV4(own.ip);
  view.setUint32(0, REQUEST, true);
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
  view.setUint16(6, NLM_F_REQUEST, true);
  view.setUint8(HEADER, v4 ? AF_INET : AF_INET6);
  view.setUint8(HEADER + 1, IPPROTO_TCP);
  view.setUint32(HEADER + 4, EVERY_STATE, true);
  const at = SOCKET_ID.request;
  view.setUint16(at, own.port);
  view.setUint16(at + 2, other.port);
  bytes.set(v4 ? own.ip.subarray(12) : own.ip, at + 4);
  bytes.set(v4 ? other.ip.subarray(12) : other.ip, at + 20);
  view.setUint32(at + 40, NO_COOKIE, true);
  view.setUint32(at + 44, NO_COOKIE, true);
  return bytes;
}
