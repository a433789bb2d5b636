/**
 * The transport protocol (RFC 4253) over a joint, of both roles, without I/O of its own: key exchanges, and messages to and
 * from what is above. That gets them where they were opened, and places its own where they will be sealed.
 */
import type { Joint, Room } from "../../gate/streams.ts";
import { asGateError, atLimit, GateError, type Side } from "../../gate/errors.ts";
import { after, again, now } from "../../gate/engine/loop.ts";
import { TurnBudget } from "../../gate/engine/turn_budget.ts";
import type { Above } from "./above.ts";
import { type Extensions, extensionsMessage, readExtensions } from "./extensions.ts";
import { disconnected, ended, harmless, malformed, SshError, toldTo, who } from "./failure.ts";
import { IDENTIFICATION } from "./identification.ts";
import { KeyExchange, type KeyExchangeOwner, type Means } from "./key_exchange.ts";
import { Link, type LinkOwner } from "./link.ts";
import * as numbers from "./numbers.ts";
import { prefersAes, type Role } from "./offer.ts";
import { MOST_PAYLOAD } from "./outgoing.ts";
import type { Opener, Sealer } from "./protection/protection.ts";
import { type KeyLife, Rekeying } from "./rekeying.ts";
import { encoded, Reader } from "./wire.ts";

/** Key exchanges of a turn, ms: one costs 0.1 to 1, and others wait meanwhile. */
const exchanges = new TurnBudget(1);
/** So long a server that prefers AES waits for what its client offers, ms. */
const CLIENT_FIRST = 100;
/** Bytes that may come before the first keys hold: KEXINITs and shares are a few KiB. */
const MOST_UNSECURED = 131_072;
/** Bytes of messages that may wait for a key exchange to end. */
const MOST_WAITING = 2 ** 20;

/** What all connections of a kind have in common. */
export interface Settings extends Means {
  /** Names of signatures of users that are taken (RFC 8308 3.1), for a client that asks. */
  readonly signatureAlgorithms?: readonly string[];
  /** ms for each key exchange; of the first one, from the beginning. */
  readonly exchangeTimeout: number;
  readonly keyLife?: KeyLife;
  /** packet_length at most, where more than 35000 was offered to peers. */
  readonly mostPacket?: number;
}

export class Transport implements LinkOwner, KeyExchangeOwner {
  /** Who is at the other end. */
  readonly side: Side;
  /** Who gets messages: authentication hands over to the connection protocol. */
  above: Above;
  /** What the peer told of itself behind its first NEWKEYS. */
  extensions: Extensions = new Map();
  /** When bytes came last, in the loop's time. */
  heardAt = now;
  readonly #settings: Settings;
  readonly #link: Link;
  readonly #rekeying: Rekeying;
  #version = "";
  /** Once both version lines are known. */
  #exchange: KeyExchange | undefined;
  /** The first keys hold in both directions; a service was granted. */
  #secured = false;
  #served = false;
  /** Messages that wait for the end of a key exchange. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #unsecured = 0;
  #cancelWait: (() => void) | undefined;
  #cancelDeadline: (() => void) | undefined;

  /** MOVES `lower`, and begins at once. `above` is told of nothing before the next turn. */
  constructor(readonly role: Role, lower: Joint, settings: Settings, above: Above) {
    this.side = role === "server" ? "client" : "upstream";
    this.#settings = settings;
    this.above = above;
    this.#rekeying = new Rekeying(this.side, settings.keyLife);
    this.#setDeadline();
    this.#link = new Link(lower, this.side, this, settings.mostPacket);
  }

  get isOver(): boolean {
    return this.#link.isOver;
  }

  /** The peer is a gate as this one: it tells a reset from an end. Others do not. */
  get isGate(): boolean {
    return this.#version.startsWith(IDENTIFICATION);
  }

  /** Messages wait: for room below, or for the end of a key exchange. */
  get blocked(): boolean {
    return this.#link.outgoing.blocked || this.#waiting.length > 0 || this.#exchange?.holds !== false;
  }

  // What is above sends.

  /** Places for the payload of one message, in one piece; undefined: none now, above.room() comes. */
  reserve(most: number, least = 1): Room | undefined {
    return this.isOver || this.blocked ? undefined : this.#link.outgoing.reserve(most, least);
  }

  /** So many bytes of it are there: they leave with the batch. */
  commit(size: number): void {
    if (this.isOver) return;
    this.#link.outgoing.commit(size);
    this.#rekeyIfDue();
  }

  /** A message as a whole, in its turn behind what waits. For what is few and short: who has much asks for room. */
  send(payload: Uint8Array): void {
    if (this.isOver) return;
    const isOwn = payload[0] < numbers.SERVICE_REQUEST ||
      payload[0] >= numbers.KEXINIT && payload[0] <= numbers.LAST_KEX;
    if (isOwn || this.#exchange?.holds === false && this.#waiting.length === 0) {
      this.#link.outgoing.message(payload);
    } else this.#wait(payload);
  }

  /** As the client. */
  requestService(name: string): void {
    this.send(encoded((to) => to.byte(numbers.SERVICE_REQUEST).text(name)));
  }

  /** Changes the keys now, unless that is under way. */
  rekey(): void {
    if (this.isOver || !this.#secured || this.#exchange!.isActive) return;
    this.#setDeadline();
    this.#exchange!.begin();
  }

  /** Tells the peer why (RFC 4250 4.2) and ends; nothing is told above. */
  disconnect(code: number, words: string): void {
    this.#leave(code, words, new GateError("closed", "gate", `Cannot go on: disconnected (${words})`));
  }

  /** The peer sees a reset; nothing is told above. */
  abort(reason: GateError): void {
    this.#link.abort(reason);
    this.#close();
  }

  // The link: what comes.

  identified(line: string): void {
    this.#version = line;
    const versions = this.role === "server"
      ? { client: line, server: IDENTIFICATION }
      : { client: IDENTIFICATION, server: line };
    const exchange = this.#exchange = new KeyExchange(this.role, this, versions, this.#settings);
    if (this.role === "server" && prefersAes()) {
      this.#cancelWait = after(CLIENT_FIRST, () => exchange.begin());
    } else exchange.begin();
  }

  packet(bytes: Uint8Array, at: number, size: number): boolean {
    const number = bytes[at];
    if (number < numbers.KEXINIT || number > numbers.LAST_KEX) this.#message(number, bytes, at, size);
    else if (this.#mayExchange(number)) this.#takeExchange(bytes, at, size);
    else this.#postpone(bytes.slice(at, at + size));
    return !this.isOver && !this.#link.isPaused;
  }

  taken(bytes: number): void {
    this.heardAt = now;
    if (this.#secured) return this.#rekeyIfDue();
    this.#unsecured += bytes;
    if (this.#unsecured <= MOST_UNSECURED) return;
    const state = `${who(this.side)} sends ${MOST_UNSECURED} bytes without doing so`;
    throw malformed(this.side, "finish an SSH key exchange", state);
  }

  flushed(): void {
    if (this.#secured) this.above.flush();
  }

  room(): void {
    if (!this.blocked && this.#secured) this.above.room();
  }

  ended(): void {
    this.refused(ended(this.side, this.#secured));
  }

  broke(reason: GateError): void {
    this.#close();
    this.above.broke(reason);
  }

  refused(reason: GateError): void {
    const { code, words } = toldTo(reason);
    this.#leave(code, words, reason);
    this.above.broke(reason);
  }

  // What a key exchange makes.

  sealWith(sealer: Sealer, anew: boolean): void {
    this.#link.outgoing.sealWith(sealer, anew);
    if (this.#secured || !this.#exchange!.peerTakesExtInfo) return;
    this.#link.outgoing.message(extensionsMessage(this.role, this.#settings.signatureAlgorithms));
  }

  openWith(opener: Opener, anew: boolean): void {
    this.#link.incoming.openWith(opener, anew);
  }

  #mayExchange(number: number): boolean {
    const exchange = this.#exchange!;
    if (number === numbers.KEXINIT && this.#secured && !exchange.isActive) {
      this.#rekeying.asked(Math.max(this.#link.incoming.bytes, this.#link.outgoing.bytes));
      this.#setDeadline();
    }
    return exchanges.open || !exchange.isCostly(number);
  }

  /** To a turn that has time for it. */
  #postpone(payload: Uint8Array): void {
    this.#link.pause();
    exchanges.later(() => {
      if (this.isOver) return;
      try {
        this.#takeExchange(payload, 0, payload.length);
      } catch (thrown) {
        return this.refused(asGateError(thrown));
      }
      this.#link.goOn();
    });
  }

  #takeExchange(bytes: Uint8Array, at: number, size: number): void {
    const exchange = this.#exchange!, number = bytes[at], isFirst = this.#link.incoming.sequence === 1;
    if (number === numbers.KEXINIT) this.#endWait();
    if (exchange.isCostly(number)) exchanges.spend(() => exchange.take(number, bytes, at, size));
    else exchange.take(number, bytes, at, size);
    if (number === numbers.KEXINIT && !this.#secured && exchange.strict && !isFirst) {
      throw malformed(this.side, "change keys", `KEXINIT of ${who(this.side)} is not its first packet`);
    }
    if (!exchange.holds) this.#goOn();
    if (number === numbers.NEWKEYS) this.#exchanged(exchange);
  }

  #exchanged(exchange: KeyExchange): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    this.#rekeying.done();
    if (!this.#secured) {
      this.#secured = true;
      const { session, agreed, roundTrip } = exchange;
      this.above.secured?.({ session: session!, agreed: agreed!, version: this.#version, roundTrip });
    }
    this.room();
  }

  #message(number: number, bytes: Uint8Array, at: number, size: number): void {
    const exchange = this.#exchange!;
    if (number >= numbers.FIRST_ABOVE && number !== numbers.PING) {
      if (!this.#served || exchange.excludes) throw this.#outOfTurn(number);
      if (!this.above.message(number, bytes, at, size)) this.#unimplemented();
      return;
    }
    const payload = bytes.subarray(at, at + size);
    if (number === numbers.DISCONNECT) return this.#disconnected(payload);
    if (!this.#secured && exchange.strict) throw this.#outOfTurn(number);
    if (number >= numbers.IGNORE && number <= numbers.DEBUG) return; // for nobody here
    if (!this.#secured || exchange.excludes) throw this.#outOfTurn(number);
    this.#answer(number, payload);
  }

  #answer(number: number, payload: Uint8Array): void {
    if (number === numbers.PING) this.#pong(payload);
    else if (number === numbers.EXT_INFO) this.extensions = readExtensions(payload, this.side);
    else if (number === numbers.SERVICE_REQUEST && this.role === "server") this.#serve(payload);
    else if (number === numbers.SERVICE_ACCEPT && this.role === "client") this.#accepted(payload);
    else this.#unimplemented();
  }

  #outOfTurn(number: number): GateError {
    return malformed(this.side, "go on", `message ${number} of ${who(this.side)} is out of turn`);
  }

  #unimplemented(): void {
    const sequence = this.#link.incoming.sequence - 1 >>> 0;
    this.send(encoded((to) => to.byte(numbers.UNIMPLEMENTED).uint32(sequence)));
  }

  #pong(payload: Uint8Array): void {
    const from = new Reader(payload, 1), data = from.string();
    if (!from.whole || payload.length > MOST_PAYLOAD) throw malformed(this.side, "go on", "a broken ping");
    this.send(encoded((to) => to.byte(numbers.PONG).string(data)));
  }

  #disconnected(payload: Uint8Array): void {
    const from = new Reader(payload, 1), code = from.uint32(), words = harmless(from.text());
    const reason = disconnected(this.side, code, words);
    this.#link.leave(undefined, reason);
    this.broke(reason);
  }

  #serve(payload: Uint8Array): void {
    const from = new Reader(payload, 1), name = from.text();
    if (!from.whole) throw malformed(this.side, "go on", "a broken request for a service");
    if (!this.above.service?.(name)) {
      const message = `Cannot serve ${who(this.side)}: it asks for ${JSON.stringify(harmless(name))}`;
      throw new SshError(numbers.SERVICE_NOT_AVAILABLE, "unsupported", this.side, message);
    }
    this.#served = true;
    this.send(encoded((to) => to.byte(numbers.SERVICE_ACCEPT).text(name)));
  }

  #accepted(payload: Uint8Array): void {
    this.#served = true;
    this.above.service?.(new Reader(payload, 1).text());
  }

  #wait(payload: Uint8Array): void {
    this.#waiting.push(payload);
    this.#waitingBytes += payload.length;
    if (this.#waitingBytes <= MOST_WAITING) return;
    const state = `${who(this.side)} makes us answer, and does not finish its key exchange`;
    const reason = new GateError("exhausted", this.side, `Cannot go on: ${state}`);
    again(() => {
      if (!this.isOver) this.refused(reason);
    });
  }

  /** Our NEWKEYS is out: what waited for that leaves. */
  #goOn(): void {
    for (const payload of this.#waiting.splice(0)) this.#link.outgoing.message(payload);
    this.#waitingBytes = 0;
    this.room();
  }

  #rekeyIfDue(): void {
    const { incoming, outgoing } = this.#link;
    if (this.#secured && this.#rekeying.isDue(Math.max(incoming.bytes, outgoing.bytes))) this.rekey();
  }

  #setDeadline(): void {
    const { exchangeTimeout } = this.#settings;
    this.#cancelDeadline?.();
    this.#cancelDeadline = after(exchangeTimeout, () => {
      const state = `${who(this.side)} took longer than ${exchangeTimeout} ms`;
      const reason = new GateError("timeout", this.side, `Cannot finish an SSH key exchange: ${state}`);
      this.refused(atLimit("handshakeTimeout", reason));
    });
  }

  #endWait(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  /** Behind a DISCONNECT, where there is room for one. */
  #leave(code: number, words: string, reason: GateError): void {
    const payload = encoded((to) => to.byte(numbers.DISCONNECT).uint32(code).text(words).text(""));
    this.#link.leave(payload, reason);
    this.#close();
  }

  #close(): void {
    this.#link.close();
    this.#endWait();
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    this.#exchange?.[Symbol.dispose]();
    this.#waiting = [];
  }
}
