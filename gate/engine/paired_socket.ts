/** One end of a pair of sockets within this process, which knows an end from a reset. */
import { AF_UNIX, ECONNRESET } from "./layout.ts";
import type { PairMark } from "./pair_marks.ts";
import type { GateError, Side } from "../errors.ts";
import { Socket } from "./socket.ts";

export class PairedSocket extends Socket {
  readonly #mark: PairMark;

  constructor(fd: number, side: Side, mark: PairMark) {
    super(fd, side, AF_UNIX);
    this.#mark = mark;
  }

  override recv(into: Uint8Array, flags = 0): number {
    const size = super.recv(into, flags);
    if (size === 0 && into.length > 0 && !this.#mark.peerEnded) throw this.failure(ECONNRESET, "read");
    return size;
  }

  override shutdownWrite(): void {
    this.#mark.ended();
    super.shutdownWrite();
  }

  override reset(reason: GateError): void {
    if (this.fd < 0) return;
    super.reset(reason);
    this.#mark.closed();
  }

  override close(): void {
    if (this.fd < 0) return;
    this.#mark.ended();
    super.close();
    this.#mark.closed();
  }
}
