/** A client of HTTP/1.1 that waits in the kernel, in clear or over TLS: requests out, responses in, taken apart strictly. */
import { Buffer } from "node:buffer";
import type { SecureWire } from "../secure_wire.ts";
import type { Wire } from "../wire.ts";

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly content: Buffer;
}

const ROOM = 65536;

/** Over a wire, and the TLS on it where there is some; both stay their owner's. */
export class Speaker {
  #held: Buffer = Buffer.alloc(0);
  readonly #into = Buffer.alloc(ROOM);

  constructor(readonly wire: Wire, readonly secure?: SecureWire) {}

  /** Throws where it is not taken. */
  send(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    for (let at = 0; at < bytes.length; at += ROOM) {
      if (!(this.secure ?? this.wire).send(bytes.subarray(at, at + ROOM))) {
        throw new Error("it was not taken");
      }
    }
  }

  /** The next answer but interim ones; `head`: to a HEAD. Throws where it breaks off. */
  answer(head = false): Answer {
    for (;;) {
      const text = this.#through("\r\n\r\n").toString("latin1"), status = Number(text.slice(9, 12));
      if (status >= 100 && status < 200 && status !== 101) continue;
      const none = head || status < 200 || status === 204 || status === 304;
      return { status, head: text, content: none ? Buffer.alloc(0) : this.#content(text) };
    }
  }

  /** Exactly so many octets. */
  take(size: number): Buffer {
    while (this.#held.length < size) this.#more();
    const taken = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return taken;
  }

  /** What comes up to the end. */
  rest(): Buffer {
    while (this.#receive());
    return this.take(this.#held.length);
  }

  #content(head: string): Buffer {
    const length = /^content-length: (\d+)\r$/im.exec(head);
    if (length) return this.take(Number(length[1]));
    if (!/^transfer-encoding: chunked\r$/im.test(head)) return this.rest();
    const parts: Buffer[] = [];
    for (;;) {
      const size = parseInt(this.#through("\r\n").toString("latin1"), 16);
      if (size === 0) break;
      parts.push(this.take(size));
      this.take(2);
    }
    while (this.#through("\r\n").length > 2);
    return Buffer.concat(parts);
  }

  #through(end: string): Buffer {
    for (let from = 0;;) {
      const at = this.#held.indexOf(end, from, "latin1");
      if (at >= 0) return this.take(at + end.length);
      from = Math.max(0, this.#held.length - end.length + 1);
      this.#more();
    }
  }

  #more(): void {
    if (!this.#receive()) {
      throw new Error(`it ended after ${JSON.stringify(this.#held.toString("latin1").slice(0, 80))}`);
    }
  }

  /** Whether anything came. Throws for any end that is none in order. */
  #receive(): boolean {
    const got = (this.secure ?? this.wire).receive(this.#into);
    if (got === "end") return false;
    if (typeof got !== "number") throw new Error(`it broke: ${got}`);
    this.#held = Buffer.concat([this.#held, this.#into.subarray(0, got)]);
    return true;
  }
}
