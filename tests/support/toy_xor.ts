/** A toy that wraps a byte stream: records of a 2-byte length and that many bytes, XORed with 0x5a. */
import type { Conn, Gate, Protocol } from "../../gate/contracts.ts";
import type { Joint, Room, Stream, Taker } from "../../gate/streams.ts";
import { GateError, type Side } from "../../gate/errors.ts";
import { type Core, Layered } from "../../gate/engine/layered.ts";

const MAGIC = new TextEncoder().encode("XOR1");
const HEADER = 2, KEY = 0x5a, LONGEST = 65535;

class XorCore implements Core {
  readonly #lower: Joint;
  #upper!: Taker;
  /** Bytes of a header that were seen, and of a record that are still to come. */
  #seen = 0;
  #left = 0;
  #high = 0;
  #at = 0;
  #room: Room | undefined;

  constructor(lower: Joint, readonly side: Side) {
    this.#lower = lower;
  }

  attach(to: Taker): void {
    this.#upper = to;
    this.#lower.join(this.#incoming);
  }

  reserve(most: number, least = 1): Room | undefined {
    const room = this.#room = this.#lower.reserve(Math.min(most, LONGEST) + HEADER, least + HEADER);
    if (!room) return undefined;
    this.#at = room.at[0];
    room.at[0] += HEADER;
    room.size[0] -= HEADER;
    return room;
  }

  commit(bytes: number): void {
    const { bytes: places } = this.#room!;
    places[this.#at] = bytes >> 8;
    places[this.#at + 1] = bytes;
    for (let i = this.#at + HEADER; i < this.#at + HEADER + bytes; i++) places[i] ^= KEY;
    this.#lower.commit(bytes + HEADER);
  }

  delivered(bytes: number): void {
    this.#lower.delivered(bytes);
  }

  end(): void {
    this.#lower.end();
  }

  abort(reason: GateError): void {
    this.#lower.abort(reason);
  }

  readonly #incoming: Taker = {
    take: (bytes, at, size) => this.#open(bytes, at, at + size),
    flush: () => this.#upper.flush(),
    room: () => this.#upper.room(),
    end: () => {
      if (this.#left === 0 && this.#seen === 0) return this.#upper.end();
      const reason = new GateError("closed", this.side, "Cannot read a record: the end came first");
      this.abort(reason);
      this.#upper.broke(reason);
    },
    broke: (reason) => this.#upper.broke(reason),
  };

  /** Opens in place what came, headers split anywhere. */
  #open(bytes: Uint8Array, at: number, end: number): void {
    while (at < end) {
      if (this.#left === 0) {
        if (this.#seen === 1) this.#left = this.#high << 8 | bytes[at];
        this.#high = bytes[at++];
        this.#seen = (this.#seen + 1) % HEADER;
        this.#lower.delivered(1);
        continue;
      }
      const n = Math.min(this.#left, end - at);
      for (let i = at; i < at + n; i++) bytes[i] ^= KEY;
      this.#left -= n;
      this.#upper.take(bytes, at, n);
      at += n;
    }
  }
}

export const xor: Protocol = {
  naming: "nothing",
  sniff: (head) => {
    for (let i = 0; i < Math.min(head.length, MAGIC.length); i++) if (head[i] !== MAGIC[i]) return false;
    return head.length >= MAGIC.length || MAGIC.length;
  },
  async serve(conn: Conn, gate: Gate) {
    await conn.stream.next((bytes) => bytes.length < MAGIC.length ? MAGIC.length : { used: MAGIC.length });
    conn.deadline(0);
    gate.enter(new Layered(new XorCore(conn.stream.joint!(), "client"), "client"), conn, {});
  },
  async wrap(_endpoint, lower): Promise<Stream> {
    const stream = await lower();
    await stream.write(MAGIC);
    return new Layered(new XorCore(stream.joint!(), "upstream"), "upstream");
  },
};
