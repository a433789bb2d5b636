/** One listening socket, as its connections need it: what its listener says now, compiled. */
import { type Cidr, cidrHas, isUnixHost, parseCidr, parseIp } from "./address.ts";
import { isTrusted } from "./asking.ts";
import type { Connection } from "./connection.ts";
import type { Protocol, Protocols } from "./contracts.ts";
import type { Phase } from "./streams.ts";
import type { Bound } from "./orders.ts";
import type { Ruling } from "./ruling.ts";
import { type Sniffed, sniffer } from "./sniff.ts";
import type { ListenerRules, Snapshot } from "./snapshot.ts";

/** Where a connection came in: facts that do not change. */
export interface Entrance {
  readonly entry: Entry;
  /** Of its listener when it came in: what it is counted under. */
  readonly number: number;
  /** How often it came through this gate already. */
  readonly depth: number;
  /** The connection that this one was unwrapped from, or that it is a branch of. */
  readonly outer?: Connection;
  /**
   * "channel": by it the client of `outer` names a target; who that is, and how far it is trusted, was settled there.
   * "accepted": it came in at a socket that the client of `outer` asked for.
   */
  readonly branch?: "channel" | "accepted";
}

/**
 * Follows the snapshot that holds whenever it is asked, also when its socket is closed: its connections are still there.
 * A listener that is gone says what it said last, but its users are gone with it.
 */
export class Entry {
  /** Of its socket, and so of all who come in there; undefined: a unix socket. */
  readonly port: number | undefined;
  readonly #registry: { readonly protocols: Protocols; readonly proxyProtocol: Protocol };
  readonly #ruling: Pick<Ruling, "snapshot" | "decider">;
  #followed: Snapshot | undefined;
  #rules!: ListenerRules;
  #trusted = false;
  #only: string | undefined;
  #tell!: (head: Uint8Array, phase: Phase) => Sniffed | number;
  #proxies: Cidr[] = [];
  #believed: Cidr[] = [];

  constructor(
    readonly bound: Bound,
    registry: { readonly protocols: Protocols; readonly proxyProtocol: Protocol },
    ruling: Pick<Ruling, "snapshot" | "decider">,
  ) {
    this.port = portOf(bound.address);
    this.#registry = registry;
    this.#ruling = ruling;
    this.follow();
  }

  /** Compiles what holds now, unless that was done. */
  follow(): void {
    const { snapshot } = this.#ruling;
    if (this.#followed === snapshot) return;
    this.#followed = snapshot;
    const { listener } = this.bound;
    if (Object.hasOwn(snapshot.listeners, listener)) this.#compile(snapshot.listeners[listener]);
    else if (this.#rules) this.#rules = { ...this.#rules, users: undefined };
  }

  get rules(): ListenerRules {
    this.follow();
    return this.#rules;
  }

  /** Bound to loopback or a unix socket, and no PROXY protocol: only this machine comes in. */
  get trusted(): boolean {
    this.follow();
    return this.#trusted;
  }

  /** The protocol that is spoken without telling apart. */
  get only(): string | undefined {
    this.follow();
    return this.#only;
  }

  /** Tells by what the listener speaks now, not when the connection came in. */
  readonly sniff = (head: Uint8Array, phase: Phase): Sniffed | number => {
    this.follow();
    return this.#only === undefined ? this.#tell(head, phase) : { protocol: this.#only };
  };

  get hasProxies(): boolean {
    this.follow();
    return this.#proxies.length > 0;
  }

  /** Whether a PROXY header is read from this address, and required of it. */
  isProxy(address: string): boolean {
    return this.hasProxies && isIn(this.#proxies, address);
  }

  /** Whether what this address says of where requests come from is believed. */
  believes(address: string): boolean {
    this.follow();
    return this.#believed.length > 0 && isIn(this.#believed, address);
  }

  /** Whether a route takes all of this protocol, which then begins elsewhere. */
  #isRouted(protocol: string): boolean {
    const { listener } = this.bound;
    const asking = { listener, protocol, naming: "nothing", trusted: false, asksUser: false } as const;
    return this.#ruling.decider.router.match(asking) !== undefined;
  }

  #compile(rules: ListenerRules): void {
    const { protocols, proxyProtocol } = this.#registry;
    const [first] = rules.protocols;
    this.#rules = rules;
    this.#trusted = isTrusted(rules, this.bound.address);
    const { sniff, speaksFirst } = protocols[first], begins = speaksFirst && !rules.fallback;
    const isAlone = rules.protocols.length === 1 && (!sniff || begins && !this.#isRouted(first));
    this.#only = isAlone ? first : undefined;
    this.#tell = sniffer(rules.protocols, protocols, proxyProtocol, rules.fallback !== undefined);
    this.#proxies = cidrsOf(rules.proxyProtocol);
    this.#believed = cidrsOf(rules.trustedProxies ?? []);
  }
}

/** Of a bound address, whose host may be empty. */
const portOf = (address: string): number | undefined =>
  isUnixHost(address) ? undefined : Number(address.slice(address.lastIndexOf(":") + 1));

const cidrsOf = (texts: readonly string[]): Cidr[] =>
  texts.map(parseCidr).filter((cidr) => cidr !== undefined);

function isIn(cidrs: readonly Cidr[], address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && cidrs.some((cidr) => cidrHas(cidr, ip));
}
