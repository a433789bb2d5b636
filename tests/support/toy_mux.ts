/**
 * A toy that multiplexes: frames of a 2-byte channel number, a type, a 2-byte length and that many bytes; a window for
 * each channel, given back for what was delivered. The connection's own window is given back on receipt.
 */
import type { Conn, Gate, Protocol } from "../../gate/contracts.ts";
import type { Joint, Room, Stream, Taker } from "../../gate/streams.ts";
import { formatTarget } from "../../gate/address.ts";
import { GateError, type Side } from "../../gate/errors.ts";
import { JointLinger } from "../../gate/engine/joint_linger.ts";
import { type Core, fill, Layered } from "../../gate/engine/layered.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";

const MAGIC = new TextEncoder().encode("MUX1");
const HEADER = 5, LONGEST = 16384;
/** More than a look shows at most, and the headers of a layer in between. */
export const WINDOW = 131072;
const DATA = 0, CREDIT = 1, OPEN = 2, END = 3, RESET = 4;

const channelsGone = (side: Side) =>
  new GateError("reset", side, "Cannot go on: the multiplexed connection ended");

class Channel implements Core {
  upper: Taker | undefined;
  sendWindow = WINDOW;
  receiveWindow = WINDOW;
  wantsRoom = false;
  endedIn = false;
  endedOut = false;
  #credit = 0;
  #room: Room | undefined;
  #at = 0;

  constructor(readonly mux: Mux, readonly id: number) {}

  attach(to: Taker): void {
    this.upper = to;
  }

  reserve(most: number, least = 1): Room | undefined {
    const allowed = this.mux.blocked ? 0 : Math.min(most, this.sendWindow, LONGEST);
    const room = this.#room = allowed < least
      ? undefined
      : this.mux.lower.reserve(allowed + HEADER, least + HEADER);
    this.wantsRoom = room === undefined;
    if (!room) return undefined;
    this.#at = room.at[0];
    room.at[0] += HEADER;
    room.size[0] -= HEADER;
    return room;
  }

  commit(bytes: number): void {
    writeHeader(this.#room!.bytes, this.#at, this.id, DATA, bytes);
    this.sendWindow -= bytes;
    this.mux.lower.commit(bytes + HEADER);
  }

  delivered(bytes: number): void {
    this.receiveWindow += bytes;
    this.#credit += bytes;
    if (this.#credit < WINDOW / 4 || this.endedIn) return;
    this.mux.send(this.id, CREDIT, new Uint8Array(new Uint32Array([this.#credit]).buffer));
    this.#credit = 0;
  }

  end(): void {
    if (this.endedOut) return;
    this.endedOut = true;
    this.mux.send(this.id, END);
    this.mux.forget(this);
  }

  abort(): void {
    if (this.endedOut && this.endedIn) return;
    this.endedOut = this.endedIn = true;
    this.mux.send(this.id, RESET);
    this.mux.forget(this);
  }
}

function writeHeader(bytes: Uint8Array, at: number, id: number, type: number, size: number): void {
  bytes[at] = id >> 8;
  bytes[at + 1] = id;
  bytes[at + 2] = type;
  bytes[at + 3] = size >> 8;
  bytes[at + 4] = size;
}

class Mux implements Taker {
  readonly channels = new Map<number, Channel>();
  /** Rejects where the connection broke. */
  readonly over: Promise<void>;
  isOver = false;
  #finish!: (reason?: GateError) => void;
  #control: Uint8Array[] = [];
  #header = new Uint8Array(HEADER);
  #seen = 0;
  #left = 0;
  #payload: number[] = [];
  #touched = new Set<Channel>();
  #nextId = 1;

  constructor(readonly lower: Joint, readonly side: Side, readonly opened: (channel: Channel) => void) {
    this.over = new Promise((resolve, reject) => {
      this.#finish = (reason) => {
        promiseResolved();
        if (reason) reject(reason);
        else resolve();
      };
    });
    this.over.catch(() => {}); // a client's streams tell it
    lower.join(this);
  }

  /** Control frames wait: they go first. */
  get blocked(): boolean {
    return this.#control.length > 0;
  }

  open(target: string): Channel {
    const channel = new Channel(this, this.#nextId++);
    this.channels.set(channel.id, channel);
    this.send(channel.id, OPEN, new TextEncoder().encode(target));
    return channel;
  }

  send(id: number, type: number, payload = new Uint8Array(0)): void {
    if (this.isOver) return;
    const frame = new Uint8Array(HEADER + payload.length);
    writeHeader(frame, 0, id, type, payload.length);
    frame.set(payload, HEADER);
    this.#control.push(frame);
    this.#sendControl();
  }

  forget(channel: Channel): void {
    if (!channel.endedIn || !channel.endedOut) return;
    this.channels.delete(channel.id);
    if (this.side === "client" || this.channels.size > 0 || this.isOver) return;
    this.isOver = true;
    new JointLinger(this.lower);
  }

  take(bytes: Uint8Array, at: number, size: number): void {
    this.lower.delivered(size);
    for (const end = at + size; at < end;) {
      if (this.#seen < HEADER) {
        this.#header[this.#seen++] = bytes[at++];
        if (this.#seen === HEADER) this.#begin();
        continue;
      }
      const n = Math.min(this.#left, end - at);
      if (this.#header[2] === DATA) this.#data(bytes, at, n);
      else for (let i = at; i < at + n; i++) this.#payload.push(bytes[i]);
      this.#left -= n;
      at += n;
      if (this.#left === 0) this.#frame();
    }
  }

  flush(): void {
    for (const channel of this.#touched) channel.upper?.flush();
    this.#touched.clear();
  }

  room(): void {
    this.#sendControl();
    for (const channel of [...this.channels.values()]) {
      if (this.blocked) return;
      if (!channel.wantsRoom || channel.sendWindow === 0) continue;
      this.channels.delete(channel.id);
      this.channels.set(channel.id, channel); // the next time the others come first
      channel.upper?.room();
    }
  }

  end(): void {
    if (this.#close(channelsGone(this.side))) this.#finish();
    this.lower.end();
  }

  broke(reason: GateError): void {
    if (this.#close(reason)) this.#finish(reason);
  }

  /** Whether it was not over yet. */
  #close(reason: GateError): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    for (const channel of this.channels.values()) channel.upper?.broke(reason);
    this.channels.clear();
    return true;
  }

  #begin(): void {
    this.#left = this.#header[3] << 8 | this.#header[4];
    this.#payload = [];
    if (this.#left === 0) this.#frame();
  }

  #channel(): Channel | undefined {
    return this.channels.get(this.#header[0] << 8 | this.#header[1]);
  }

  #data(bytes: Uint8Array, at: number, size: number): void {
    const channel = this.#channel();
    if (!channel) return;
    channel.receiveWindow -= size;
    if (channel.receiveWindow < 0) {
      throw new GateError("malformed", this.side, "Cannot take bytes of a channel: more than its window");
    }
    channel.upper?.take(bytes, at, size);
    this.#touched.add(channel);
  }

  #frame(): void {
    this.#seen = 0;
    const type = this.#header[2], channel = this.#channel();
    if (type === OPEN) {
      const opened = new Channel(this, this.#header[0] << 8 | this.#header[1]);
      this.channels.set(opened.id, opened);
      return this.opened(opened);
    }
    if (!channel) return;
    if (type === CREDIT) {
      channel.sendWindow += new Uint32Array(new Uint8Array(this.#payload).buffer)[0];
      if (channel.wantsRoom) channel.upper?.room();
    } else if (type === END) {
      this.flush();
      channel.endedIn = true;
      channel.upper?.end();
      this.forget(channel);
    } else if (type === RESET) {
      this.flush();
      channel.endedIn = channel.endedOut = true;
      this.forget(channel);
      channel.upper?.broke(new GateError("reset", this.side, "Cannot go on: the channel was reset"));
    }
  }

  #sendControl(): void {
    while (this.#control.length > 0) {
      const frame = this.#control[0], room = this.lower.reserve(frame.length, frame.length);
      if (!room) return;
      this.lower.commit(fill(room, frame, 0, frame.length));
      this.#control.shift();
    }
  }
}

/** Live client connections, by where they go. */
const live = new Map<string, Mux>();

export const mux: Protocol = {
  naming: "nothing",
  sniff: (head) => {
    for (let i = 0; i < Math.min(head.length, MAGIC.length); i++) if (head[i] !== MAGIC[i]) return false;
    return head.length >= MAGIC.length || MAGIC.length;
  },
  async serve(conn: Conn, gate: Gate) {
    await conn.stream.next((bytes) => bytes.length < MAGIC.length ? MAGIC.length : { used: MAGIC.length });
    conn.deadline(0);
    await new Mux(conn.stream.joint!(), "client", (channel) => {
      gate.enter(new Layered(channel, "client"), conn, {});
    }).over;
  },
  async wrap(endpoint, lower): Promise<Stream> {
    const key = formatTarget(endpoint.via ?? endpoint.address) + endpoint.layers.join();
    let connection = live.get(key);
    if (!connection || connection.isOver || connection.channels.size === 0) {
      const stream = await lower();
      await stream.write(MAGIC);
      connection = new Mux(stream.joint!(), "upstream", () => {});
      live.set(key, connection);
    }
    return new Layered(connection.open(formatTarget(endpoint.address)), "upstream");
  },
};
