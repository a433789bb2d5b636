/**
 * Connections of clients that wait in the kernel: one at a time for each thread, and nothing of the runtime between. So a
 * million of them, broken in every way, cost little more than the gate's side of them.
 */
import { parseIp } from "../../gate/address.ts";
import {
  AF_INET,
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_SNDTIMEO,
  TCP_NODELAY,
} from "../../gate/engine/layout.ts";
import { errnoName, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "../../gate/engine/layout.ts";
import { ipSocketAddress } from "../../gate/engine/sockaddr.ts";
import { errno, libc, resetAndClose, setOption } from "../../gate/engine/sys.ts";

const SO_RCVTIMEO = 20, IP_BIND_ADDRESS_NO_PORT = 24, IPPROTO_IP = 0;
/** Seconds that a call waits at most. */
const PATIENCE = 20;
const encoder = new TextEncoder();

/** What the peer did where bytes were waited for. */
export type Ended = "end" | "reset" | "late";

const ADDRESS_SIZE = 16;
const addressOf = (host: string, port: number): Uint8Array => ipSocketAddress(parseIp(host)!, port).bytes;

function failed(act: string): Error {
  return new Error(`Cannot ${act}: ${errnoName(errno())}`);
}

export class Wire implements Disposable {
  #open = true;

  private constructor(readonly fd: number) {}

  /** Connects from that address of loopback. Throws where it does not stand. */
  static connect(port: number, from: string): Wire {
    const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw failed("make a socket");
    const timeval = new Uint8Array(16);
    timeval[0] = PATIENCE;
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, timeval.length);
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval, timeval.length);
    setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1); // the port is chosen with its peer: there are enough
    const stands = libc.bind(fd, addressOf(from, 0), ADDRESS_SIZE) === 0 &&
      libc.connect(fd, addressOf("127.0.0.1", port), ADDRESS_SIZE) === 0;
    if (stands) return new Wire(fd);
    const thrown = failed(`connect from ${from} to ${port}`);
    libc.close(fd);
    throw thrown;
  }

  /** Whether all of it was taken. */
  send(data: Uint8Array | string): boolean {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) {
      const sent = libc.send(this.fd, bytes.subarray(at), bytes.length - at, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      at += sent;
    }
    return true;
  }

  /** Bytes at the front of `into`, or how it ended. */
  receive(into: Uint8Array): number | Ended {
    const got = libc.recv(this.fd, into, into.length, 0);
    const code = got < 0 ? errnoName(errno()) : "";
    if (got > 0) return got;
    if (got === 0) return "end";
    return code === "EAGAIN" ? "late" : "reset";
  }

  /** FIN. */
  end(): void {
    libc.shutdown(this.fd, SHUT_WR);
  }

  reset(): void {
    if (!this.#open) return;
    this.#open = false;
    resetAndClose(this.fd);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    libc.close(this.fd);
  }
}

const scrap = new Uint8Array(65536);

/** Throws away what comes until it ends; how many bytes that were, and how it ended. */
export function drain(wire: Wire): { bytes: number; ended: Ended } {
  for (let bytes = 0;;) {
    const got = wire.receive(scrap);
    if (typeof got !== "number") return { bytes, ended: got };
    bytes += got;
  }
}
