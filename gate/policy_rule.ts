/** One policy rule, compiled, and what of a request does not meet it. */
import { type Cidr, cidrHas, cidrWithin, type Ip, isUnixHost, judgedIp } from "./address.ts";
import type { Asking } from "./asking.ts";
import { HostIndex } from "./host_index.ts";
import { isNamed } from "./identity/identity.ts";
import { networks } from "./networks.ts";
import type { JudgedAddress } from "./own_address.ts";
import type { PolicyRule } from "./snapshot.ts";

/** How a request was judged, and what decided: a rule's place, or a sentence about the default. */
export interface Judgement {
  readonly verdict: "allow" | "deny" | "maybe";
  readonly by: string;
}

/** What is judged: a request under one name. */
export interface Subject {
  readonly asking: Asking;
  readonly source?: Ip;
  /** Normal; absent for an address and a unix socket, which match no `hosts`. */
  readonly name?: string;
  /** The port that was asked for; 0 for a unix socket. */
  readonly port: number;
  /** "unresolved": not known yet. "elsewhere": an upstream proxy resolves, it will never be known here. */
  readonly address: JudgedAddress | "unresolved" | "elsewhere";
}

/**
 * Why a rule does not apply: the key that is not met, or
 * "unnamed": TLS without a route is allowed only by a rule that names the protocol;
 * "unresolved": it has `addresses`, and may apply once the name is resolved;
 * "special": an allow of such an address counts only where its `addresses` lie inside that range;
 * "own": an allow of the gate's own address counts only with that address and port.
 */
export type PolicyMiss =
  | ("listener" | "protocol" | "user" | "identity" | "sources" | "hosts" | "ports" | "addresses")
  | ("unnamed" | "unresolved" | "special" | "own");

export class CompiledRule {
  readonly place: string;
  readonly verdict: "allow" | "deny";
  readonly judgement: Judgement;
  readonly #listener?: ReadonlySet<string>;
  readonly #protocol?: ReadonlySet<string>;
  readonly #user?: ReadonlySet<string>;
  readonly #identity?: ReadonlySet<string>;
  readonly #sources?: readonly Cidr[];
  readonly #hosts?: HostIndex;
  readonly #addresses?: AddressList;
  readonly #ports?: PolicyRule["ports"];
  /** Whether it gives nothing but `listener` and `sources`: it speaks of connections, whatever they ask for. */
  readonly broad: boolean;
  /** Whether it is a deny of who has proven to be somebody, and of all that he may ask for. */
  readonly refuses: boolean;

  constructor(rule: PolicyRule) {
    this.place = rule.place;
    this.judgement = { verdict: rule.verdict, by: rule.place };
    this.verdict = rule.verdict;
    this.#listener = rule.listener && new Set(rule.listener);
    this.#protocol = rule.protocol && new Set(rule.protocol);
    this.#user = rule.user && new Set(rule.user);
    this.#identity = rule.identity && new Set(rule.identity);
    this.#sources = rule.sources && networks(rule.sources, rule.place);
    this.#hosts = rule.hosts && indexOf(rule.hosts);
    this.#addresses = rule.addresses && new AddressList(rule.addresses, rule.place);
    this.#ports = rule.ports;
    const others = [rule.protocol, rule.user, rule.identity, rule.hosts, rule.addresses, rule.ports];
    this.refuses = rule.verdict === "deny" && rule.identity !== undefined &&
      [rule.hosts, rule.addresses, rule.ports].every((given) => given === undefined);
    this.broad = others.every((given) => given === undefined);
  }

  /** Whether it is a deny that needs to know nothing but who connected where. */
  get bars(): boolean {
    return this.verdict === "deny" && this.broad && this.#sources !== undefined;
  }

  /** Whether the rule holds for whoever comes in there from that source, as far as these two tell. */
  meets(listener: string, source: Ip | undefined): boolean {
    return (this.#listener === undefined || this.#listener.has(listener)) &&
      (this.#sources === undefined || inAny(this.#sources, source));
  }

  /** Whether the rule holds for who asks, as far as that tells who he is and where he comes in. */
  meetsWho({ listener, protocol, user, identity }: Asking, source: Ip | undefined): boolean {
    return this.meets(listener, source) &&
      (this.#protocol === undefined || this.#protocol.has(protocol)) &&
      (this.#user === undefined || user !== undefined && this.#user.has(user)) &&
      (this.#identity === undefined || isNamed(this.#identity, identity));
  }

  /** Whether it is an allow that gives this identity by name. */
  allowsNamed(identity: string): boolean {
    return this.verdict === "allow" && this.#identity !== undefined && this.#identity.has(identity);
  }

  /** Whether it is an allow that gives the protocol by name. */
  allowsProtocol(protocol: string): boolean {
    return this.verdict === "allow" && this.#protocol !== undefined && this.#protocol.has(protocol);
  }

  /** What of the subject does not meet the rule; undefined: it applies. */
  miss(subject: Subject): PolicyMiss | undefined {
    const { asking, source, name } = subject;
    if (this.#listener !== undefined && !this.#listener.has(asking.listener)) return "listener";
    if (this.#protocol !== undefined && !this.#protocol.has(asking.protocol)) return "protocol";
    if (this.#protocol === undefined && this.verdict === "allow" && needsProtocolNamed(asking)) {
      return "unnamed";
    }
    if (this.#user !== undefined && (asking.user === undefined || !this.#user.has(asking.user))) {
      return "user";
    }
    if (this.#identity !== undefined && !isNamed(this.#identity, asking.identity)) return "identity";
    if (this.#sources !== undefined && !inAny(this.#sources, source)) return "sources";
    if (this.#hosts !== undefined && (name === undefined || this.#hosts.first(name) === Infinity)) {
      return "hosts";
    }
    if (this.#ports !== undefined && !this.#meetsPorts(this.#ports, subject)) return "ports";
    return this.#addressMiss(subject.address);
  }

  /**
   * A name's answer may lead to another port than the one asked for (SRV, `hosts`). A deny holds for either. An allow
   * has to have the one asked for, and the one dialed too, unless it is the operator who leads there: by `hosts`, or
   * by a rule that names the host and no address. Else whoever has a domain would open every port by an SRV record.
   */
  #meetsPorts(ports: NonNullable<PolicyRule["ports"]>, { address, port }: Subject): boolean {
    const asked = inRanges(ports, port);
    if (typeof address === "string" || address.port === port) return asked;
    if (this.verdict === "deny") return asked || inRanges(ports, address.port);
    const led = this.#addresses === undefined && (this.#hosts !== undefined || address.given);
    return asked && (led || inRanges(ports, address.port));
  }

  #addressMiss(address: Subject["address"]): PolicyMiss | undefined {
    if (address === "unresolved") return this.#addresses === undefined ? undefined : "unresolved";
    if (address === "elsewhere") return this.#addresses === undefined ? undefined : "addresses";
    if (this.#addresses !== undefined && !this.#addresses.has(address)) return "addresses";
    if (this.verdict === "deny") return undefined;
    if (address.own && (this.#addresses === undefined || !this.#namesPortOf(address))) return "own";
    if (address.special !== undefined && !this.#addresses?.hasWithin(address, address.special)) {
      return "special";
    }
    return undefined;
  }

  #namesPortOf(address: JudgedAddress): boolean {
    return address.unix !== undefined || this.#ports !== undefined;
  }
}

/** The `addresses` of a rule: networks, and unix sockets as they are written. */
class AddressList {
  readonly #networks: readonly Cidr[];
  readonly #unix: ReadonlySet<string>;

  constructor(texts: readonly string[], place: string) {
    this.#unix = new Set(texts.filter(isUnixHost));
    this.#networks = networks(texts.filter((text) => !isUnixHost(text)), place).map(judgedNetwork);
  }

  /** Whether the address lies in here, as it was spelled or as what it stands for. */
  has(address: JudgedAddress): boolean {
    if (address.unix !== undefined) return this.#unix.has(address.unix);
    return this.#networks.some((network) => holds(network, address));
  }

  /** As has, by a network that lies inside one of `ranges`; a unix socket is always given by its own path. */
  hasWithin(address: JudgedAddress, ranges: readonly Cidr[]): boolean {
    if (address.unix !== undefined) return this.#unix.has(address.unix);
    return this.#networks.some((network) =>
      holds(network, address) && ranges.some((range) => cidrWithin(network, range))
    );
  }
}

function holds(network: Cidr, address: JudgedAddress): boolean {
  return address.judged !== undefined && cidrHas(network, address.judged) ||
    address.spelled !== undefined && cidrHas(network, address.spelled);
}

/** A single address stands in a rule, too, for what it is judged as. */
function judgedNetwork(network: Cidr): Cidr {
  return network.bits === 128 ? { base: judgedIp(network.base), bits: 128 } : network;
}

function indexOf(patterns: readonly string[]): HostIndex {
  const index = new HostIndex();
  for (const [order, pattern] of patterns.entries()) index.add(pattern, order);
  return index;
}

function needsProtocolNamed(asking: Asking): boolean {
  return asking.naming === "serverName" && !asking.trusted;
}

function inAny(networks: readonly Cidr[], ip: Ip | undefined): boolean {
  return ip !== undefined && networks.some((network) => cidrHas(network, ip));
}

function inRanges(ranges: NonNullable<PolicyRule["ports"]>, port: number): boolean {
  return ranges.some(([from, to]) => port >= from && port <= to);
}
