/** The connection protocol (RFC 4254) over a transport: channels that either side opens, and requests of the connection. */
import { GateError } from "../../../gate/errors.ts";
import type { Above } from "../above.ts";
import { harmless, malformed, who } from "../failure.ts";
import * as numbers from "../numbers.ts";
import type { Transport } from "../transport.ts";
import { encoded, Reader, uint32At } from "../wire.ts";
import { type Answer, Answers } from "./answers.ts";
import { Channel, type ChannelEvents, MOST_DATA } from "./channel.ts";
import { Flow } from "./flow.ts";
import { Gathered } from "./gathered.ts";
import { openFailure, Opening, type OpeningOwner } from "./opening.ts";

/** Who has a connection. */
export interface ConnectionEvents {
  /** Channels may be opened from here on. */
  begun?(connection: Connection): void;
  /** The peer opens a channel: to be accepted or refused, now or later. */
  opens(opening: Opening): void;
  /** A global request (RFC 4254 4), and where its answer goes if one is wanted. */
  request(name: string, from: Reader, answer: Answer | undefined): void;
  /** A channel was refused, for there are too many; or reset, for it kept too much. */
  crowded?(): void;
  /** The last channel is gone. */
  emptied?(): void;
  /** It is over, and so are all channels. */
  broke(reason: GateError): void;
}

/** Of a message of data: its number, the channel, a length; and of extended data a kind. */
const HEADER = 9, EXTENDED_HEADER = 13;

/** A request that nobody knows, answered all the same (PROTOCOL of OpenSSH). */
const PING = "keepalive@openssh.com", NOTHING = new Uint8Array(0);

/** One of the thread for all messages: nobody keeps it. */
const reader = new Reader();

export class Connection implements Above, OpeningOwner {
  readonly transport: Transport;
  readonly flow: Flow;
  /** As it was measured last, ms. */
  roundTrip: number;
  readonly #events: ConnectionEvents;
  readonly #most: number;
  /** By our numbers; those that are asked for and not accepted yet, too. */
  #channels = new Map<number, Channel | Opening>();
  #nextId = 0;
  #touched: Channel[] = [];
  readonly #gathered = new Gathered();
  #over = false;
  readonly #answers: Answers;
  /** Who waits for the peer's answers to global requests, in order. */
  #asked: ((granted: boolean, from: Reader) => void)[] = [];

  /** Gets the messages of `transport` from here on. `most`: channels at once; `roundTrip`: as Secured has it. */
  constructor(
    transport: Transport,
    events: ConnectionEvents,
    { most, roundTrip }: { most: number; roundTrip: number },
  ) {
    this.transport = transport;
    this.roundTrip = roundTrip;
    this.flow = new Flow((answered) => this.ask(PING, NOTHING, answered));
    this.#events = events;
    this.#most = most;
    this.#answers = new Answers(
      (data) => encoded((to) => to.byte(numbers.REQUEST_SUCCESS).raw(data ?? new Uint8Array(0))),
      Uint8Array.of(numbers.REQUEST_FAILURE),
      (payload) => transport.send(payload),
    );
    transport.above = this;
    events.begun?.(this);
  }

  /** How many channels there are, asked for or open. */
  get channels(): number {
    return this.#channels.size;
  }

  /**
   * Opens a channel; `data` belongs to its type. What is written waits until the peer has confirmed; where it refuses, the
   * stream breaks with "refused", "denied", "unreachable" or "exhausted". Throws GateError "exhausted", "closed".
   */
  open(type: string, data: Uint8Array, events?: ChannelEvents): Channel {
    this.#check();
    const { side } = this.transport;
    if (this.#channels.size >= this.#most) {
      throw new GateError(
        "exhausted",
        "gate",
        `Cannot open a channel to ${who(side)}: ${this.#most} are open`,
      );
    }
    const channel = new Channel(this, this.#newId());
    channel.events = events;
    this.#channels.set(channel.id, channel);
    this.transport.send(
      encoded((to) =>
        to.byte(numbers.CHANNEL_OPEN).text(type).uint32(channel.id).uint32(channel.window).uint32(MOST_DATA)
          .raw(data)
      ),
    );
    return channel;
  }

  /** A global request; `answered` is told whether it was granted and what belongs to it, absent no answer is wanted. */
  ask(name: string, data: Uint8Array, answered?: (granted: boolean, from: Reader) => void): void {
    if (this.#over) return answered?.(false, new Reader());
    if (answered) this.#asked.push(answered);
    this.transport.send(
      encoded((to) => to.byte(numbers.GLOBAL_REQUEST).text(name).boolean(answered !== undefined).raw(data)),
    );
  }

  /** Asks what every peer answers, and measures how long that takes. */
  measure(): void {
    const began = performance.now();
    this.ask(PING, NOTHING, () => {
      if (!this.#over) this.roundTrip = performance.now() - began;
    });
  }

  // For an Opening.

  accepted(channel: Channel, peer: number): void {
    this.#check();
    const { id, window } = channel;
    this.#channels.set(id, channel);
    this.transport.send(
      encoded((to) =>
        to.byte(numbers.OPEN_CONFIRMATION).uint32(peer).uint32(id).uint32(window).uint32(MOST_DATA)
      ),
    );
  }

  refused(opening: Opening, id: number, peer: number, code: number, words: string): void {
    if (this.#over || this.#channels.get(id) !== opening) return;
    this.#channels.delete(id);
    this.transport.send(
      encoded((to) => to.byte(numbers.OPEN_FAILURE).uint32(peer).uint32(code).text(words).text("")),
    );
  }

  // For channels.

  touched(channel: Channel): void {
    this.#touched.push(channel);
  }

  evicted(): void {
    this.#events.crowded?.();
  }

  forget(channel: Channel): void {
    this.#channels.delete(channel.id);
    if (this.#channels.size === 0) this.#events.emptied?.();
  }

  // What comes.

  message(number: number, bytes: Uint8Array, at: number, size: number): boolean {
    if (number === numbers.CHANNEL_DATA) {
      this.#data(bytes, at, size, HEADER);
      return true;
    }
    this.#gathered.pass();
    if (number === numbers.EXTENDED_DATA) this.#data(bytes, at, size, EXTENDED_HEADER);
    else if (
      number > numbers.EXTENDED_DATA && number <= numbers.CHANNEL_FAILURE || number === numbers.WINDOW_ADJUST
    ) {
      this.#channelMessage(number, reader.read(bytes, at + 1, at + size));
    } else if (number >= numbers.CHANNEL_OPEN && number <= numbers.OPEN_FAILURE) {
      this.#openMessage(number, reader.read(bytes, at + 1, at + size));
    } else if (number >= numbers.GLOBAL_REQUEST && number <= numbers.REQUEST_FAILURE) {
      this.#globalMessage(number, reader.read(bytes, at + 1, at + size));
    } else return false;
    return true;
  }

  flush(): void {
    this.#gathered.pass();
    const touched = this.#touched;
    if (touched.length === 0) return;
    for (const channel of touched) if (channel.isTouched) channel.flush();
    touched.length = 0;
  }

  /** A batch for each channel in turn; the next time the others come first. */
  room(): void {
    for (const channel of [...this.#channels.values()]) {
      if (this.#over || this.transport.blocked) return;
      if (channel instanceof Opening || !channel.wantsRoom) continue;
      this.#channels.delete(channel.id);
      this.#channels.set(channel.id, channel);
      channel.room();
    }
  }

  broke(reason: GateError): void {
    this.#gathered.pass();
    this.#over = true;
    const channels = [...this.#channels.values()], asked = this.#asked.splice(0);
    this.#channels.clear();
    for (const channel of channels) {
      if (channel instanceof Opening) channel.broke(reason);
      else channel.fail(reason);
    }
    for (const answered of asked) answered(false, new Reader());
    this.#events.broke(reason);
  }

  #data(bytes: Uint8Array, at: number, size: number, header: number): void {
    const length = size < header ? -1 : uint32At(bytes, at + header - 4);
    if (length !== size - header) throw this.#malformed("a broken message of data");
    const channel = this.#openChannel(uint32At(bytes, at + 1));
    if (length === 0) return;
    if (header === HEADER) {
      if (channel.came(length)) this.#gathered.add(channel, bytes, at + header, length);
    } else channel.extended(uint32At(bytes, at + 5), bytes, at + header, length);
  }

  #channelMessage(number: number, from: Reader): void {
    const channel = this.#openChannel(from.uint32());
    if (number === numbers.CHANNEL_REQUEST) {
      const name = from.name(), wantsAnswer = from.boolean();
      if (from.failed) throw this.#malformed("a broken request");
      return channel.requested(name, from, wantsAnswer);
    }
    const bytes = number === numbers.WINDOW_ADJUST ? from.uint32() : 0;
    if (!from.whole) throw this.#malformed(`a broken message ${number}`);
    if (number === numbers.WINDOW_ADJUST) channel.adjust(bytes);
    else if (number === numbers.CHANNEL_EOF) channel.endIn();
    else if (number === numbers.CHANNEL_CLOSE) channel.closeIn();
    else channel.answered(number === numbers.CHANNEL_SUCCESS);
  }

  #openMessage(number: number, from: Reader): void {
    if (number === numbers.CHANNEL_OPEN) return this.#opens(from);
    const id = from.uint32(), channel = this.#channel(id);
    if (channel.peer >= 0) throw this.#malformed("an answer to a channel that is open");
    if (number === numbers.OPEN_CONFIRMATION) {
      const peer = from.uint32(), window = from.uint32(), mostData = from.uint32();
      if (from.failed || mostData === 0) throw this.#malformed("a broken confirmation");
      channel.confirm(peer, window, mostData);
      if (!channel.isClosing) channel.events?.opened?.();
      if (channel.wantsRoom) channel.room();
    } else {
      const code = from.uint32(), words = harmless(from.text());
      this.#channels.delete(id);
      channel.fail(openFailure(this.transport.side, code, words));
    }
  }

  #opens(from: Reader): void {
    const type = from.name(), peer = from.uint32(), window = from.uint32(), mostData = from.uint32();
    if (from.failed || mostData === 0) throw this.#malformed("a broken request for a channel");
    const id = this.#newId(), opening = new Opening(type, from, this, id, { id: peer, window, mostData });
    this.#channels.set(id, opening);
    if (this.#channels.size <= this.#most) return this.#events.opens(opening);
    opening.refuse(numbers.SHORTAGE, "too many channels");
    this.#events.crowded?.();
  }

  #globalMessage(number: number, from: Reader): void {
    if (number !== numbers.GLOBAL_REQUEST) {
      const asked = this.#asked.shift();
      if (!asked) throw this.#malformed("an answer to nothing");
      return asked(number === numbers.REQUEST_SUCCESS, from);
    }
    const name = from.name(), wantsAnswer = from.boolean();
    if (from.failed) throw this.#malformed("a broken request");
    const answer = wantsAnswer ? this.#answers.next() : undefined;
    if (wantsAnswer && !answer) throw this.#malformed("too many requests at once");
    if (answer === "refused") return this.#events.crowded?.();
    this.#events.request(name, from, answer);
  }

  /** Asked for, or open. */
  #channel(id: number): Channel {
    const channel = this.#channels.get(id);
    if (channel instanceof Channel) return channel;
    throw this.#malformed(`no channel ${id} is open`);
  }

  /** Before the peer has confirmed a channel it may say nothing else of it (RFC 4254 5.1). */
  #openChannel(id: number): Channel {
    const channel = this.#channel(id);
    if (channel.peer >= 0) return channel;
    throw this.#malformed(`channel ${id} is not confirmed`);
  }

  /** A number that no channel has. */
  #newId(): number {
    do this.#nextId = this.#nextId + 1 >>> 0; while (this.#channels.has(this.#nextId));
    return this.#nextId;
  }

  #check(): void {
    if (!this.#over && !this.transport.isOver) return;
    const { side } = this.transport;
    throw new GateError("closed", side, `Cannot open a channel: the connection to ${who(side)} is over`);
  }

  #malformed(state: string): GateError {
    return malformed(this.transport.side, "go on with channels", state);
  }
}
