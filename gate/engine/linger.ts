/**
 * Closes behind an answer: FIN, then what the peer still sends is thrown away for a moment. Closing over unread bytes
 * would send a reset, and a reset may overtake the answer.
 */
import type { Expiring } from "./deadlines.ts";
import type { Mover } from "./descriptor.ts";
import { deadlines, now } from "./loop.ts";
import type { Socket } from "./socket.ts";

/** How long, ms, and how many bytes: who uploads much reads its answer when the upload fails. */
export const LINGER_TIME = 1000, LINGER_MOST = 16 << 20;

const thrown = new Uint8Array(16384);

export class Linger implements Mover, Expiring {
  #socket: Socket;
  #slot = deadlines.claim(this);
  #left = LINGER_MOST;
  #over = false;

  readonly #closed: () => void;

  /** `closed` is called once the descriptor is given back: until then the connection counts. */
  constructor(socket: Socket, closed: () => void) {
    this.#socket = socket;
    this.#closed = closed;
    deadlines.set(this.#slot, now + LINGER_TIME);
    socket.given = true;
    socket.mover = this;
    socket.shutdownWrite();
    this.moved();
  }

  moved(): void {
    try {
      while (!this.#over && this.#socket.readable) {
        const size = this.#socket.recv(thrown);
        if (size < 0) return;
        this.#left -= size;
        if (size === 0 || this.#left <= 0) this.#close();
      }
    } catch {
      this.#close(); // a reset: there is nobody to wait for
    }
  }

  gone(): void {
    this.#close();
  }

  expired(): void {
    this.#close();
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    deadlines.release(this.#slot);
    this.#socket.mover = undefined;
    this.#socket.close();
    this.#closed();
  }
}
