/**
 * One channel (RFC 4254 5) as a stream of the gate: its data is handed on where it was opened, and placed where it will be
 * sealed. EOF is an end, CLOSE without one a reset; but behind our own EOF other programs answer it by CLOSE alone.
 */
import type { Room, Taker } from "../../../gate/streams.ts";
import { asGateError, GateError } from "../../../gate/errors.ts";
import { type Core, Layered } from "../../../gate/engine/layered.ts";
import { again } from "../../../gate/engine/loop.ts";
import { malformed, who } from "../failure.ts";
import {
  CHANNEL_CLOSE,
  CHANNEL_DATA,
  CHANNEL_EOF,
  CHANNEL_FAILURE,
  CHANNEL_REQUEST,
  CHANNEL_SUCCESS,
  EXTENDED_DATA,
  WINDOW_ADJUST,
} from "../numbers.ts";
import type { Transport } from "../transport.ts";
import { encoded, putUint32, type Reader, type Writer } from "../wire.ts";
import { type Answer, Answers } from "./answers.ts";
import { firstWindow, type Flow } from "./flow.ts";
import { Window } from "./window.ts";

/** Bytes of data in a message, ours and the peer's (RFC 4253 6.1). */
export const MOST_DATA = 32768;
/** Of a message of data: its number, the channel, a length. */
const HEADER = 9;
const MOST_UINT32 = 0xffffffff;

/** What of a channel is no stream. */
export interface ChannelEvents {
  /** Of a channel that we open, unless we closed it before: the peer has confirmed it. */
  opened?(): void;
  /** In its place: the peer has refused it, or the connection is over. */
  refused?(reason: GateError): void;
  /** A request (RFC 4254 6), and where its answer goes if one is wanted. Absent: none is granted. */
  request?(name: string, from: Reader, answer: Answer | undefined): void;
  /** EXTENDED_DATA, of a kind: valid during the call. Absent: it is thrown away. */
  extended?(kind: number, bytes: Uint8Array, at: number, size: number): void;
  /** Nothing comes any more, and nothing may be sent. */
  closed?(): void;
}

/** Who has channels. */
export interface ChannelOwner {
  readonly transport: Transport;
  readonly flow: Flow;
  /** Asked for or open. */
  readonly channels: number;
  /** It is to be flushed at the end of what came together. */
  touched(channel: Channel): void;
  /** It keeps too much of what nobody takes, and is reset. */
  evicted(): void;
  /** Both sides have closed it: its number is free. */
  forget(channel: Channel): void;
}

export class Channel implements Core {
  /** Its number with the peer; -1: not known yet, nothing may be sent. */
  peer = -1;
  /** Waits for room. */
  wantsRoom = false;
  isTouched = false;
  events: ChannelEvents | undefined;
  readonly stream: Layered;
  readonly #owner: ChannelOwner;
  readonly #receiving: Window;
  #upper!: Taker;
  #sendWindow = 0;
  #mostData = 0;
  #room: Room | undefined;
  #at = 0;
  /** EOF came, went; CLOSE came, went. */
  #endedIn = false;
  #endedOut = false;
  #closedIn = false;
  #closedOut = false;
  #answers: Answers | undefined;
  /** Who waits for the peer's answers, in order. */
  #asked: ((granted: boolean) => void)[] = [];

  constructor(owner: ChannelOwner, readonly id: number) {
    this.#owner = owner;
    const evict = () => this.#evict();
    this.#receiving = new Window(owner.flow, firstWindow(owner.channels), evict);
    this.stream = new Layered(this, owner.transport.side);
  }

  /** What the peer may send now. */
  get window(): number {
    return this.#receiving.left;
  }

  /** CLOSE went, or goes once there is whom to send it to. */
  get isClosing(): boolean {
    return this.#closedOut;
  }

  // The core.

  attach(to: Taker): void {
    this.#upper = to;
  }

  reserve(most: number, least = 1): Room | undefined {
    const allowed = Math.min(most, this.#sendWindow, this.#mostData);
    const isOpen = this.peer >= 0 && !this.#endedOut && !this.#closedOut;
    if (this.#closedIn && !this.#endedOut) again(() => this.#broke());
    const room = this.#room = isOpen && allowed >= least
      ? this.#owner.transport.reserve(allowed + HEADER, least + HEADER)
      : undefined;
    this.wantsRoom = room === undefined;
    if (!room) return undefined;
    this.#at = room.at[0];
    room.at[0] += HEADER;
    room.size[0] -= HEADER;
    return room;
  }

  commit(bytes: number): void {
    if (bytes === 0) return;
    const { bytes: places } = this.#room!, at = this.#at;
    places[at] = CHANNEL_DATA;
    putUint32(places, at + 1, this.peer);
    putUint32(places, at + 5, bytes);
    this.#sendWindow -= bytes;
    this.#owner.transport.commit(bytes + HEADER);
  }

  delivered(bytes: number): void {
    const given = this.#receiving.delivered(bytes);
    if (given > 0 && !this.#endedIn && !this.#closedOut) {
      this.#send((to) => to.byte(WINDOW_ADJUST).uint32(this.peer).uint32(given));
    }
  }

  end(): void {
    if (this.#endedOut || this.#closedOut) return;
    this.#endedOut = true;
    if (this.peer < 0) return; // behind the confirmation
    this.#send((to) => to.byte(CHANNEL_EOF).uint32(this.peer));
    if (this.#endedIn) this.close();
  }

  abort(_reason: GateError): void {
    this.#receiving.drop();
    this.close();
  }

  /** CLOSE: nothing may be sent behind it. The second time it does nothing. */
  close(): void {
    if (this.#closedOut) return;
    this.#closedOut = true;
    if (!this.#endedIn) this.#receiving.drop();
    if (this.peer >= 0) this.#send((to) => to.byte(CHANNEL_CLOSE).uint32(this.peer));
    if (this.#closedIn) this.#owner.forget(this);
  }

  /** A request of ours; `answered` is told whether it was granted, and absent no answer is wanted. */
  request(name: string, data: Uint8Array, answered?: (granted: boolean) => void): void {
    if (this.peer < 0 || this.#closedOut) return answered?.(false);
    if (answered) this.#asked.push(answered);
    this.#send((to) =>
      to.byte(CHANNEL_REQUEST).uint32(this.peer).text(name).boolean(answered !== undefined).raw(data)
    );
  }

  /** EXTENDED_DATA of a kind, for what is short: false where the window has no room for it, and nothing is sent. */
  extend(kind: number, bytes: Uint8Array): boolean {
    const fits = bytes.length <= Math.min(this.#sendWindow, this.#mostData);
    if (this.peer < 0 || this.#endedOut || this.#closedOut || !fits) return false;
    this.#sendWindow -= bytes.length;
    this.#send((to) => to.byte(EXTENDED_DATA).uint32(this.peer).uint32(kind).string(bytes));
    return true;
  }

  // What the peer does.

  /** It may be sent to. Throws GateError where nothing could be. */
  confirm(peer: number, window: number, mostData: number): void {
    this.peer = peer;
    this.#sendWindow = window;
    this.#mostData = Math.min(mostData, MOST_DATA);
    if (this.#closedOut) this.#send((to) => to.byte(CHANNEL_CLOSE).uint32(peer));
    else if (this.#endedOut) this.#send((to) => to.byte(CHANNEL_EOF).uint32(peer));
  }

  /** So much data came; false: nobody takes it any more, as is right for what was sent before it knew. */
  came(size: number): boolean {
    this.#receive(size);
    return !this.#closedOut;
  }

  take(bytes: Uint8Array, at: number, size: number): void {
    if (this.#closedOut) return;
    try {
      this.#upper.take(bytes, at, size);
    } catch (thrown) {
      return this.fail(asGateError(thrown));
    }
    if (!this.isTouched) this.#owner.touched(this);
    this.isTouched = true;
  }

  extended(kind: number, bytes: Uint8Array, at: number, size: number): void {
    this.#receive(size);
    this.events?.extended?.(kind, bytes, at, size);
    this.delivered(size);
  }

  flush(): void {
    this.isTouched = false;
    this.#upper.flush();
  }

  /** The peer gives back so much of its window. */
  adjust(bytes: number): void {
    this.#sendWindow += bytes;
    if (this.#sendWindow > MOST_UINT32) throw this.#malformed("a window of more than 2^32 bytes");
    if (this.wantsRoom && !this.#owner.transport.blocked) this.room();
  }

  /** There is room below. */
  room(): void {
    if (this.#sendWindow > 0 && this.peer >= 0) this.#upper.room();
  }

  endIn(): void {
    if (this.#endedIn || this.#closedIn) throw this.#malformed("two ends");
    this.#endedIn = true;
    if (this.isTouched) this.flush();
    this.#upper.end();
    if (this.#endedOut) this.close();
  }

  /**
   * CLOSE of the peer. Where its EOF came before, everything is there that had to come, though it may not have been looked
   * at yet: then only who still sends hears of a reset.
   */
  closeIn(): void {
    if (this.#endedOut && !this.#endedIn && !this.#owner.transport.isGate) this.endIn();
    const wasClosed = this.#closedOut;
    this.#closedIn = true;
    if (this.isTouched) this.flush();
    this.close();
    if (wasClosed) this.#owner.forget(this);
    this.#over();
    if (!this.#endedIn || this.wantsRoom && !this.#endedOut) this.#broke();
  }

  /** It cannot go on, for a reason of ours or of the whole connection. */
  fail(reason: GateError): void {
    const asking = this.peer < 0 && !this.#closedOut ? this.events : undefined;
    this.close();
    this.#receiving.drop();
    this.#over();
    this.#upper.broke(reason);
    asking?.refused?.(reason);
  }

  requested(name: string, from: Reader, wantsAnswer: boolean): void {
    const answer = wantsAnswer ? this.#nextAnswer() : undefined;
    if (answer === "refused") return;
    if (this.events?.request) this.events.request(name, from, answer);
    else answer?.no();
  }

  answered(granted: boolean): void {
    const asked = this.#asked.shift();
    if (!asked) throw this.#malformed("an answer to nothing");
    asked(granted);
  }

  #receive(size: number): void {
    if (this.#endedIn || this.#closedIn) throw this.#malformed("data behind its end");
    if (!this.#receiving.took(size)) throw this.#malformed("more data than its window");
  }

  #nextAnswer(): Answer | "refused" {
    this.#answers ??= new Answers(
      () => encoded((to) => to.byte(CHANNEL_SUCCESS).uint32(this.peer)),
      encoded((to) => to.byte(CHANNEL_FAILURE).uint32(this.peer)),
      (payload) => {
        if (!this.#closedOut) this.#owner.transport.send(payload);
      },
    );
    const answer = this.#answers.next();
    if (answer) return answer;
    throw this.#malformed("too many requests at once");
  }

  /** Its peer, or who should take what it sends, is at fault: nobody else is to pay for it. */
  #evict(): void {
    this.#owner.evicted();
    const state = "more is kept of what it sent than there is room for";
    this.fail(new GateError("exhausted", this.stream.side, `Cannot go on with a channel: ${state}`));
  }

  #broke(): void {
    this.#receiving.drop();
    const state = `${who(this.stream.side)} closed the channel`;
    this.#upper.broke(new GateError("reset", this.stream.side, `Cannot go on: ${state}`));
  }

  #over(): void {
    this.#receiving.release();
    for (const asked of this.#asked.splice(0)) asked(false);
    const { events } = this;
    this.events = undefined;
    events?.closed?.();
  }

  #send(write: (to: Writer) => void): void {
    this.#owner.transport.send(encoded(write));
  }

  #malformed(state: string): GateError {
    return malformed(this.stream.side, "go on with a channel", state);
  }
}
