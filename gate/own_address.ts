/** What policy has to know of an address besides its bytes: is it ours, is it one that no wide rule may open. */
import {
  type Cidr,
  cidrHas,
  formatIp,
  type Ip,
  isLoopback,
  isUnixHost,
  judgedIp,
  normalName,
  parseAnyIp,
  sameIp,
  type Target,
} from "./address.ts";
import { networks } from "./networks.ts";
import type { Snapshot } from "./snapshot.ts";

/** An address that is about to be dialed. Either `unix` or the two spellings are there. */
export interface JudgedAddress {
  /** As it would be dialed. */
  readonly spelled?: Ip;
  /** What that stands for. */
  readonly judged?: Ip;
  /** `unix:/path`, `unix:@abstract` */
  readonly unix?: string;
  readonly port: number;
  /** A listener of this gate, or its admin page. */
  readonly own: boolean;
  /** The operator gives it, in `hosts`, for a name that was asked for. */
  readonly given: boolean;
  /** The ranges in which the `addresses` of an allow have to lie to count for it. */
  readonly special?: readonly Cidr[];
}

/** Cloud metadata and link-local: a default or a wide allow never opens them, not even to this machine itself. */
export const LINK_LOCAL = networks(
  ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254", "168.63.129.16", "100.100.100.200"],
  "the link-local ranges",
);
/** This machine: services there trust whoever reaches them. */
const LOOPBACK = networks(["127.0.0.0/8", "::1"], "the loopback ranges");

/** The addresses this gate itself has, and those that `hosts` gives. */
export class OwnAddresses {
  /** By port; a host of undefined is every address of this machine. */
  readonly #bound = new Map<number, (Ip | undefined)[]>();
  readonly #unix = new Set<string>();
  readonly #given: ReadonlySet<string>;

  /** `isOwnIp` tells whether an address is one of this machine's; it is asked only for a port of ours. */
  constructor(snapshot: Snapshot, private readonly isOwnIp: (ip: Ip) => boolean) {
    for (const { host, port } of snapshot.own) {
      if (isUnixHost(host)) this.#unix.add(host);
      else if (this.#bound.has(port)) this.#bound.get(port)!.push(boundIp(host));
      else this.#bound.set(port, [boundIp(host)]);
    }
    this.#given = new Set(snapshot.hostAddresses.map(givenKey));
  }

  /** Whether anything of this gate has this port: without, an address is none of its own. */
  hasPort({ host, port }: Target): boolean {
    return this.#bound.has(port) || this.#unix.has(host);
  }

  /**
   * Looks at an address to dial (IP literal or unix socket) for who is `trusted` and asked for `names` (normal).
   * undefined: it is neither, and cannot be judged.
   */
  look({ host, port }: Target, trusted: boolean, names: readonly string[]): JudgedAddress | undefined {
    if (isUnixHost(host)) {
      // Even on loopback: the gate may have rights on the socket that its clients have not.
      return { unix: host, port, own: this.#unix.has(host), given: false, special: [] };
    }
    const spelled = parseAnyIp(host);
    if (spelled === undefined) return undefined;
    const judged = judgedIp(spelled);
    const given = this.#isGiven(judged, names);
    return {
      spelled,
      judged,
      port,
      own: this.#isOwn(judged, port),
      given,
      special: special(judged, trusted || given),
    };
  }

  #isOwn(judged: Ip, port: number): boolean {
    const bound = this.#bound.get(port);
    if (bound === undefined) return false;
    return bound.some((ip) =>
      ip === undefined ? isLoopback(judged) || this.isOwnIp(judged) : sameIp(ip, judged)
    );
  }

  /** Whether `hosts` gives this address for that name: the operator said so; another name that leads there did not. */
  #isGiven(judged: Ip, names: readonly string[]): boolean {
    return names.some((name) => this.#given.has(name)) && this.#given.has(formatIp(judged));
  }
}

/** `mayLoopBack`: to this machine itself no rule has to lead by its address. */
function special(judged: Ip, mayLoopBack: boolean): readonly Cidr[] | undefined {
  if (LINK_LOCAL.some((range) => cidrHas(range, judged))) return LINK_LOCAL;
  return mayLoopBack || !isLoopback(judged) ? undefined : LOOPBACK;
}

/** undefined: bound to every address, or to a name, which may be any. */
function boundIp(host: string): Ip | undefined {
  const ip = parseAnyIp(host);
  return ip === undefined || ip.every((byte, at) => byte === 0 || (at >= 10 && at < 12 && byte === 0xff))
    ? undefined
    : judgedIp(ip);
}

function givenKey(host: string): string {
  const ip = parseAnyIp(host);
  return ip === undefined ? normalName(host) ?? host : formatIp(judgedIp(ip));
}
