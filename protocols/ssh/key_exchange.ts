/**
 * Key exchanges of one connection, the first one and those that follow, from KEXINIT to NEWKEYS (RFC 4253 7, RFC 5656 4):
 * a state machine without I/O. It says what is sent and which keys hold from when on.
 */
import { GateError, type Side } from "../../gate/errors.ts";
import { malformed, SshError, who } from "./failure.ts";
import { doubtHost, type HostKey, type HostTrust } from "./host_key.ts";
import { octetsOf } from "./identification.ts";
import type { ClientSide } from "./kex/exchange.ts";
import { exchangeNames, exchangeOf } from "./kex/exchanges.ts";
import { deriveKeys, exchangeHash } from "./kex/hash.ts";
import { type KexInit, readKexInit, writeKexInit } from "./kexinit.ts";
import { negotiate, type Negotiated } from "./negotiation.ts";
import { HOST_KEY_NOT_VERIFIABLE, KEX_REPLY, KEX_SHARE, KEXINIT, LAST_KEX, NEWKEYS } from "./numbers.ts";
import { EXT_INFO_CLIENT, EXT_INFO_SERVER, offerOf, type Role, STRICT } from "./offer.ts";
import { openerOf, type Protection, sealerOf, sizesOf } from "./protection/ciphers.ts";
import type { Opener, Sealer } from "./protection/protection.ts";
import { encoded, Reader } from "./wire.ts";

/** What is done with what an exchange makes. */
export interface KeyExchangeOwner {
  send(payload: Uint8Array): void;
  /** What is sent from here on is under these keys, and so is what comes. `anew`: packets are counted from 0 again. */
  sealWith(sealer: Sealer, anew: boolean): void;
  openWith(opener: Opener, anew: boolean): void;
}

/** Identification lines of both sides, without CR LF. */
export interface Versions {
  readonly client: string;
  readonly server: string;
}

/** A server has `hostKeys`, a client `trust`. */
export interface Means {
  readonly hostKeys?: readonly HostKey[];
  readonly trust?: HostTrust;
  /** What of our offer is offered: absent, all. */
  readonly narrow?: (offer: KexInit) => KexInit;
}

/** No message is awaited: an exchange may begin. */
const NOTHING = 0;

export class KeyExchange {
  /** H of the first exchange: undefined before. */
  session: Uint8Array | undefined;
  /** What holds; of an exchange under way, what will. */
  agreed: Negotiated | undefined;
  /** Both sides keep to the strict rules (PROTOCOL of OpenSSH, 1.10), known from their first KEXINITs on. */
  strict = false;
  /** The peer takes EXT_INFO (RFC 8308 2.1). */
  peerTakesExtInfo = false;
  /** Of the last exchange: from our share to the peer's answer, ms. */
  roundTrip = 0;
  /** From our KEXINIT to our NEWKEYS nothing else may be sent (RFC 4253 7.1). */
  holds = false;
  readonly #role: Role;
  readonly #side: Side;
  readonly #owner: KeyExchangeOwner;
  readonly #versions: Versions;
  readonly #means: Means;
  #ours: Uint8Array | undefined;
  #offered: KexInit | undefined;
  #theirs: Uint8Array | undefined;
  /** The number of the message that has to come next. */
  #awaited = NOTHING;
  /** The peer guessed wrong: its next message is not looked at. */
  #skips = false;
  #clientSide: ClientSide | undefined;
  /** When our share left. */
  #shared = 0;
  /** Holds from the peer's NEWKEYS on. */
  #opener: Opener | undefined;

  constructor(role: Role, owner: KeyExchangeOwner, versions: Versions, means: Means) {
    this.#role = role;
    this.#side = role === "server" ? "client" : "upstream";
    this.#owner = owner;
    this.#versions = versions;
    this.#means = means;
  }

  /** One is under way: nothing but its messages comes, once the peer's KEXINIT is there. */
  get isActive(): boolean {
    return this.holds || this.#awaited !== NOTHING;
  }

  /** The peer has said that it begins: before its NEWKEYS it may send nothing else (RFC 4253 7.1). */
  get excludes(): boolean {
    return this.#theirs !== undefined;
  }

  /** Whether taking this message costs more than a look. */
  isCostly(number: number): boolean {
    return number === KEX_SHARE || number === KEX_REPLY || number === KEXINIT && this.#role === "client";
  }

  /** Sends our KEXINIT, if that was not done for this exchange. */
  begin(theirs?: KexInit): void {
    if (this.#ours) return;
    const { hostKeys = [], trust, narrow } = this.#means;
    const algorithms = trust?.algorithms ?? hostKeys.map(({ algorithm }) => algorithm);
    const offer = offerOf(this.#role, algorithms, this.session === undefined, theirs);
    this.#offered = narrow ? narrow(offer) : offer;
    this.#ours = writeKexInit(this.#offered);
    this.holds = true;
    if (this.#awaited === NOTHING) this.#awaited = KEXINIT;
    this.#owner.send(this.#ours);
  }

  /** A message from KEXINIT to LAST_KEX, which lies there during the call. Throws GateError. */
  take(number: number, bytes: Uint8Array, at: number, size: number): void {
    if (this.#skips && number >= KEX_SHARE && number <= LAST_KEX) {
      this.#skips = false;
      return;
    }
    const begins = number === KEXINIT && this.#awaited === NOTHING;
    if (number !== this.#awaited && !begins) {
      throw malformed(this.#side, "change keys", `message ${number} of ${who(this.#side)} is out of turn`);
    }
    const payload = bytes.subarray(at, at + size);
    if (number === KEXINIT) this.#takeInit(payload);
    else if (number === KEX_SHARE) this.#takeShare(payload);
    else if (number === KEX_REPLY) this.#takeReply(payload);
    else this.#takeNewKeys(size);
  }

  [Symbol.dispose](): void {
    this.#clientSide?.[Symbol.dispose]();
    this.#opener?.[Symbol.dispose]();
    this.#clientSide = this.#opener = undefined;
  }

  #takeInit(payload: Uint8Array): void {
    const init = readKexInit(payload);
    if (!init) throw malformed(this.#side, "change keys", "a broken KEXINIT");
    this.#theirs = payload.slice();
    if (!this.session) this.#readMarks(init.exchanges);
    this.begin(init);
    const agreed = this.agreed = this.#negotiate(init);
    this.#skips = init.guesses && !agreed.rightGuess;
    this.#awaited = this.#role === "server" ? KEX_SHARE : KEX_REPLY;
    if (this.#role === "client") this.#sendShare(agreed);
  }

  #readMarks(exchanges: readonly string[]): void {
    const isServer = this.#role === "server";
    this.strict = exchanges.includes(STRICT[isServer ? "client" : "server"]);
    this.peerTakesExtInfo = exchanges.includes(isServer ? EXT_INFO_CLIENT : EXT_INFO_SERVER);
  }

  #negotiate(theirs: KexInit): Negotiated {
    const [client, server] = this.#role === "server" ? [theirs, this.#offered!] : [this.#offered!, theirs];
    const agreed = negotiate(client, server, exchangeNames());
    if (!("missing" in agreed)) return agreed;
    const names = agreed.of(theirs).join(",").slice(0, 300);
    throw new GateError(
      "unsupported",
      this.#side,
      `Cannot agree on a ${agreed.missing}: ${who(this.#side)} has ${JSON.stringify(names)}`,
    );
  }

  #sendShare({ exchange }: Negotiated): void {
    const side = this.#clientSide = exchangeOf(exchange)!.begin();
    this.#owner.send(encoded((to) => to.byte(KEX_SHARE).string(side.share)));
    this.#shared = performance.now();
  }

  /** As the server: the client's share came. */
  #takeShare(payload: Uint8Array): void {
    const from = new Reader(payload, 1), theirs = from.string();
    const { exchange, hostKey } = this.agreed!;
    const answer = from.whole ? exchangeOf(exchange)!.answer(theirs) : undefined;
    if (!answer) throw malformed(this.#side, "change keys", `no share of ${exchange}`);
    const key = this.#means.hostKeys!.find(({ algorithm }) => algorithm === hostKey)!;
    const hash = this.#hash(key.blob, theirs, answer.share, answer.secret);
    const signature = key.sign(hash);
    this.#owner.send(
      encoded((to) => to.byte(KEX_REPLY).string(key.blob).string(answer.share).string(signature)),
    );
    this.#change(answer.secret, hash);
    this.#shared = performance.now();
  }

  /** As the client: the server's share came, and it has to be signed by who we believe. */
  #takeReply(payload: Uint8Array): void {
    this.roundTrip = performance.now() - this.#shared;
    const from = new Reader(payload, 1),
      blob = from.string(),
      theirs = from.string(),
      signature = from.string();
    const side = this.#clientSide!, { exchange, hostKey } = this.agreed!;
    const secret = from.whole ? side.secretWith(theirs) : undefined;
    if (!secret) throw malformed(this.#side, "change keys", `no share of ${exchange}`);
    const hash = this.#hash(blob, side.share, theirs, secret);
    side[Symbol.dispose]();
    this.#clientSide = undefined;
    const doubt = doubtHost(this.#means.trust!, hostKey, blob, signature, hash);
    if (doubt) throw new SshError(HOST_KEY_NOT_VERIFIABLE, doubt.failure, doubt.side, doubt.message);
    this.#change(secret, hash);
  }

  #hash(
    hostKey: Uint8Array,
    clientShare: Uint8Array,
    serverShare: Uint8Array,
    secret: Uint8Array,
  ): Uint8Array {
    const isServer = this.#role === "server";
    return exchangeHash({
      clientVersion: octetsOf(this.#versions.client),
      serverVersion: octetsOf(this.#versions.server),
      clientInit: isServer ? this.#theirs! : this.#ours!,
      serverInit: isServer ? this.#ours! : this.#theirs!,
      hostKey,
      clientShare,
      serverShare,
      secret,
    });
  }

  /** Our NEWKEYS leaves, the keys behind it hold; for the other direction they wait for the peer's. */
  #change(secret: Uint8Array, hash: Uint8Array): void {
    const session = this.session ??= hash, { up, down } = this.agreed!;
    const keysOf = (direction: "up" | "down", protection: Protection) =>
      deriveKeys(direction, sizesOf(protection), { secret, hash, session });
    const isServer = this.#role === "server";
    const upKeys = keysOf("up", up), downKeys = keysOf("down", down);
    secret.fill(0);
    this.#opener = isServer ? openerOf(up, upKeys) : openerOf(down, downKeys);
    const sealer = isServer ? sealerOf(down, downKeys) : sealerOf(up, upKeys);
    for (const { iv, key, macKey } of [upKeys, downKeys]) for (const each of [iv, key, macKey]) each.fill(0);
    this.#awaited = NEWKEYS;
    this.#owner.send(Uint8Array.of(NEWKEYS));
    this.#owner.sealWith(sealer, this.strict);
    this.holds = false;
  }

  #takeNewKeys(size: number): void {
    if (size !== 1) throw malformed(this.#side, "change keys", "a broken NEWKEYS");
    if (this.#role === "server") this.roundTrip = performance.now() - this.#shared;
    this.#owner.openWith(this.#opener!, this.strict);
    this.#opener =
      this.#ours =
      this.#theirs =
      this.#offered =
        undefined;
    this.#awaited = NOTHING;
  }
}
