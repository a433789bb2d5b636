/**
 * What the load and the sink say to each other, over blocking sockets: a thread that waits in the kernel costs nothing,
 * so neither is what limits a measurement. Every connection begins with a prologue: the ClientHello that the route is
 * found by (a plain forward does not care) and one byte that tells the sink what to do.
 */
import { parseIp } from "../../gate/address.ts";
import {
  AF_INET,
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../gate/engine/layout.ts";
import { ipSocketAddress } from "../../gate/engine/sockaddr.ts";
import { libc, setOption } from "../../gate/engine/sys.ts";

/** The byte behind the ClientHello: answer and close, swallow, pour out, answer and stay, or answer each request. */
export const MODES = { answer: 1, swallow: 2, pour: 3, stay: 4, echo: 5 } as const;
export type Mode = keyof typeof MODES;

/** Whether this runs as a thread of a process: import.meta.main holds there too. */
export const isThread = "WorkerGlobalScope" in globalThis;

/** Bytes of one send or recv of bulk, those of iperf3. */
export const CHUNK = 128 * 1024;
/** Bytes of what the sink answers, and of a request that asks for it. */
export const ANSWER = 16;
/** Seconds that a blocking call waits at most: SO_RCVTIMEO and SO_SNDTIMEO. */
const PATIENCE = 5;
const SO_RCVTIMEO = 20, SO_SNDTIMEO = 21;

const address = (port: number) => ipSocketAddress(parseIp("127.0.0.1")!, port).bytes;

function newSocket(): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error("Cannot make a socket: no descriptors left");
  return fd;
}

/** Bounds every wait on a socket. */
export function impatient(fd: number): void {
  const timeval = new Uint8Array(16);
  timeval[0] = PATIENCE;
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, 16);
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval, 16);
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/** A connected blocking socket to a port of 127.0.0.1, or -1. */
export function connect(port: number): number {
  const fd = newSocket();
  impatient(fd);
  if (libc.connect(fd, address(port), 16) === 0) return fd;
  libc.close(fd);
  return -1;
}

/** A listening socket at a free port of 127.0.0.1. */
export function listen(): { fd: number; port: number } {
  const fd = newSocket();
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (libc.bind(fd, address(0), 16) < 0 || libc.listen(fd, 4096) < 0) {
    throw new Error("Cannot listen: bind failed");
  }
  const name = new Uint8Array(16);
  libc.getsockname(fd, name, new Uint8Array(Uint32Array.of(16).buffer));
  return { fd, port: (name[2] << 8) | name[3] };
}

/** Sends all of a small message; whether it could. */
export function say(fd: number, bytes: Uint8Array): boolean {
  return libc.send(fd, bytes, bytes.length, MSG_NOSIGNAL) === bytes.length;
}

/** Receives exactly `size` bytes into the front of `into`; whether they came. */
export function hear(fd: number, into: Uint8Array, size: number): boolean {
  for (let at = 0; at < size;) {
    const got = libc.recv(fd, at === 0 ? into : into.subarray(at), size - at, 0);
    if (got <= 0) return false;
    at += got;
  }
  return true;
}
