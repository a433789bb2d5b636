/** One listening socket, as its connections need it: its rules, compiled. */
import { type Cidr, cidrHas, parseCidr, parseIp } from "./address.ts";
import type { Connection } from "./connection.ts";
import type { Phase, Protocol, Protocols } from "./contracts.ts";
import type { Bound } from "./orders.ts";
import { type Sniffed, sniffer } from "./sniff.ts";
import type { ListenerRules } from "./snapshot.ts";

/** Where a connection came in: facts that do not change. */
export interface Entrance {
  readonly entry: Entry;
  /** Of the time it came in. */
  readonly rules: ListenerRules;
  /** Bound to loopback or a unix socket, and no PROXY protocol. */
  readonly trusted: boolean;
  /** How often it came through this gate already. */
  readonly depth: number;
  /** The connection that this one was unwrapped from. */
  readonly outer?: Connection;
}

export class Entry {
  rules!: ListenerRules;
  /** Whether the address it is bound to admits only this machine. */
  trusted = false;
  /** The protocol that is spoken without telling apart. */
  only: string | undefined;
  sniff!: (head: Uint8Array, phase: Phase) => Sniffed | number;
  #proxies: Cidr[] = [];
  readonly #protocols: Protocols;
  readonly #preface: Protocol;

  constructor(readonly bound: Bound, registry: { protocols: Protocols; proxyProtocol: Protocol }) {
    this.#protocols = registry.protocols;
    this.#preface = registry.proxyProtocol;
  }

  configure(rules: ListenerRules, trusted: boolean): void {
    this.rules = rules;
    this.trusted = trusted;
    const [first] = rules.protocols;
    this.only = rules.protocols.length === 1 && !this.#protocols[first].sniff ? first : undefined;
    this.sniff = sniffer(rules.protocols, this.#protocols, this.#preface);
    this.#proxies = rules.proxyProtocol.map(parseCidr).filter((cidr) => cidr !== undefined);
  }

  get hasProxies(): boolean {
    return this.#proxies.length > 0;
  }

  /** Whether a PROXY header is read from this address, and required of it. */
  isProxy(address: string): boolean {
    if (this.#proxies.length === 0) return false;
    const ip = parseIp(address);
    return ip !== undefined && this.#proxies.some((cidr) => cidrHas(cidr, ip));
  }
}
