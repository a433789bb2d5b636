/** Who may reach what: the rules of one snapshot, held against names before they are resolved and addresses after. */
import { type Ip, parseIp, type Target } from "./address.ts";
import type { Asking } from "./asking.ts";
import { OwnAddresses } from "./own_address.ts";
import { CompiledRule, type Judgement, type PolicyMiss, type Subject } from "./policy_rule.ts";
import type { Snapshot } from "./snapshot.ts";

export type { Judgement, PolicyMiss } from "./policy_rule.ts";

/** A canonical target as it was asked for, and the normal name that a search domain made of it, where one did. */
export interface Request {
  readonly target: Target;
  readonly completed?: string;
}

/**
 * Where a request leads: the address to dial (IP literal or unix socket); "unresolved": its name has to be resolved
 * first; "elsewhere": an upstream proxy resolves it, so that rules with `addresses` cannot match a name.
 */
export type Where = Target | "unresolved" | "elsewhere";

/** A rule, and what of a request does not meet it; no miss: it applies. */
export interface RuleMiss extends Judgement {
  readonly miss?: PolicyMiss;
}

const MAYBE: Judgement = { verdict: "maybe", by: "the addresses it resolves to" };
const TRUSTED: Judgement = { verdict: "allow", by: "the default of a loopback listener" };
const DEFAULT: Judgement = { verdict: "deny", by: "the default" };
const OWN: Judgement = { verdict: "deny", by: "the default for addresses of this gate itself" };
const SPECIAL: Judgement = {
  verdict: "deny",
  by: "the default for loopback, link-local and metadata addresses",
};
const NO_ADDRESS: Judgement = { verdict: "deny", by: "the answer, which is no address" };

const DEFAULTS: ReadonlySet<string> = new Set([DEFAULT, OWN, SPECIAL, NO_ADDRESS].map(({ by }) => by));

/** First match wins; where none does, deny, but for clients of this machine itself (`trusted`). */
export class Policy {
  readonly #rules: readonly CompiledRule[];
  readonly #anyBars: boolean;
  readonly #anyRefuses: boolean;
  readonly #own: OwnAddresses;

  /** `isOwnIp` tells whether an IP address is one of this machine's; it is asked only about ports of this gate. */
  constructor(snapshot: Snapshot, isOwnIp: (ip: Ip) => boolean) {
    this.#rules = snapshot.policy.map((rule) => new CompiledRule(rule));
    this.#anyBars = this.#rules.some((rule) => rule.bars);
    this.#anyRefuses = this.#rules.some((rule) => rule.refuses);
    this.#own = new OwnAddresses(snapshot, isOwnIp);
  }

  /**
   * The place of the deny that holds for every connection from this source (IP literal; none: a unix socket), before
   * a byte is read. An earlier allow that may match what it asks for goes first.
   */
  barred(listener: string, source: string | undefined): string | undefined {
    return this.#barring(listener, source, (allow) => allow.verdict === "allow");
  }

  /** As barred, for a connection that a route or the fallback takes: an allow of targets does not speak for it. */
  barredRouted(listener: string, source: string | undefined): string | undefined {
    return this.#barring(listener, source, (allow) => allow.verdict === "allow" && allow.broad);
  }

  /**
   * The place of the deny that gives nothing but who somebody is and where he comes in, his identity among it, and holds
   * for who asks: it refuses whatever he asks for. An earlier allow that may match goes first.
   */
  refusesIdentity(asking: Asking): string | undefined {
    if (!this.#anyRefuses) return undefined;
    const source = asking.source === undefined ? undefined : parseIp(asking.source);
    const decisive = this.#rules.find((rule) =>
      rule.meetsWho(asking, source) && (rule.verdict === "allow" || rule.refuses)
    );
    return decisive?.refuses ? decisive.place : undefined;
  }

  /** Whether an allow names this identity for who asks, whatever for. */
  namesIdentity(identity: string, asking: Asking): boolean {
    const source = asking.source === undefined ? undefined : parseIp(asking.source);
    return this.#rules.some((rule) => rule.allowsNamed(identity) && rule.meetsWho(asking, source));
  }

  /** Whether any allow names this protocol: without one, TLS by an SNI without a route has no business here. */
  allowsProtocol(protocol: string): boolean {
    return this.#rules.some((rule) => rule.allowsProtocol(protocol));
  }

  /**
   * Judges a request, under both its names where it has two: a deny of either refuses. "maybe" only where it is
   * unresolved.
   */
  judge(asking: Asking, request: Request, where: Where): Judgement {
    const subject = this.#subject(asking, request, where);
    if (subject === undefined) return NO_ADDRESS;
    const judgement = this.#first(subject);
    if (judgement.verdict !== "allow" || request.completed === undefined) return judgement;
    return this.#first({ ...subject, name: request.completed });
  }

  /** The place of the deny that refuses a request; undefined: none does, whatever the default says. */
  forbids(asking: Asking, target: Target): string | undefined {
    const { verdict, by } = this.judge(asking, { target }, "elsewhere");
    return verdict === "deny" && !DEFAULTS.has(by) ? by : undefined;
  }

  /** What of a request, under the name asked for, does not meet each rule: why judge says what it says. */
  misses(asking: Asking, request: Request, where: Where): RuleMiss[] {
    const subject = this.#subject(asking, request, where);
    if (subject === undefined) return [];
    return this.#rules.map((rule) => ({ ...rule.judgement, miss: rule.miss(subject) }));
  }

  #barring(
    listener: string,
    source: string | undefined,
    speaks: (rule: CompiledRule) => boolean,
  ): string | undefined {
    if (!this.#anyBars) return undefined;
    const ip = source === undefined ? undefined : parseIp(source);
    const decisive = this.#rules.find((rule) => rule.meets(listener, ip) && (rule.bars || speaks(rule)));
    return decisive?.bars ? decisive.place : undefined;
  }

  #subject(asking: Asking, { target, completed }: Request, where: Where): Subject | undefined {
    const literal = this.#own.look(target, asking.trusted, []);
    const name = literal === undefined ? target.host : undefined;
    const names = [name, completed].filter((name) => name !== undefined);
    const address = typeof where === "string"
      ? literal ?? where
      : this.#own.look(where, asking.trusted, names);
    if (address === undefined) return undefined;
    const source = asking.source === undefined ? undefined : parseIp(asking.source);
    return { asking, source, name, port: target.port, address };
  }

  /** The first rule that applies; one that only may apply makes what differs behind it a "maybe". */
  #first(subject: Subject): Judgement {
    let mayAllow = false;
    let mayDeny = false;
    let judgement: Judgement | undefined;
    for (const rule of this.#rules) {
      const miss = rule.miss(subject);
      if (miss === undefined) judgement = rule.judgement;
      if (judgement !== undefined) break;
      if (miss !== "unresolved") continue;
      if (rule.verdict === "allow") mayAllow = true;
      else mayDeny = true;
    }
    judgement ??= byDefault(subject);
    return (judgement.verdict === "deny" ? mayAllow : mayDeny) ? MAYBE : judgement;
  }
}

function byDefault({ asking, address }: Subject): Judgement {
  if (typeof address !== "string") {
    if (address.own) return OWN;
    if (address.special !== undefined) return SPECIAL;
  }
  return asking.trusted ? TRUSTED : DEFAULT;
}
