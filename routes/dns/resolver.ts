/** Discovery by the DNS, as every program of this machine would do it: /etc/hosts, search domains, servers. */
import { normalName, type Target } from "../../gate/address.ts";
import type { Destination, Resolver } from "../../gate/contracts.ts";
import { Answers } from "../answers.ts";
import { within } from "../deadline.ts";
import type { Ask, Place, Places } from "./lookup.ts";
import type { ResolvConf } from "./resolv_conf.ts";
import { System, type SystemSettings } from "./system.ts";

/** `budget`: all tries of one question together, ms. */
export interface DnsSettings extends SystemSettings {
  readonly budget?: number;
}

const BUDGET = 4000;
/** What aliases and the servers of a service may cost above one question, ms. */
const LOOKUP_EXTRA = 500;
/** /etc/hosts has no lifetimes; a change of it is noticed anyway, ms. */
const HOSTS_LIFETIME = 10_000;
const BOUNDS = { entries: 2048, flights: 1024 };
/** Names that no server is asked for (RFC 6761 section 6.4, RFC 7686 section 2). */
const NEVER_ASKED = /(?:^|\.)(?:invalid|onion)$/;
/** RFC 6761 section 6.3: this machine, whatever a server says. */
const LOCALHOST = /(?:^|\.)localhost$/;

export class Dns implements Resolver, Disposable {
  readonly #system: System;
  readonly #answers = new Answers<Places["value"]>(BOUNDS);
  readonly #listeners: ((names: readonly string[]) => void)[] = [];
  readonly #budget: number;
  #asker: Promise<Asker> | undefined;

  constructor(settings: DnsSettings = {}) {
    this.#budget = settings.budget ?? BUDGET;
    this.#system = new System(settings, () => {
      this.#answers.drop(() => true);
      for (const changed of this.#listeners) changed(["*"]);
    });
  }

  /** Rejects with "timeout" where the servers are silent, "unreachable" where they cannot tell. */
  async resolve(target: Target, signal: AbortSignal): Promise<Destination | undefined> {
    const name = normalName(target.host);
    if (name === undefined || NEVER_ASKED.test(name)) return undefined;
    if (LOCALHOST.test(name)) return destination(target, ["127.0.0.1", "::1"].map(hostPlace), HOSTS_LIFETIME);
    const { hosts, conf } = await this.#system.current();
    const listed = hosts.get(name);
    if (listed !== undefined) return destination(target, listed.map(hostPlace), HOSTS_LIFETIME);
    for (const candidate of candidates(name, conf)) {
      const { value, lifetime } = await this.#find(candidate, conf, signal);
      if (value !== undefined) {
        return destination(target, value, lifetime, candidate === name ? undefined : candidate);
      }
    }
    return undefined;
  }

  /** When a file changed everything may live elsewhere: "*". */
  onChange(changed: (names: readonly string[]) => void): void {
    this.#listeners.push(changed);
  }

  /** Looks now, and not only every two seconds, whether /etc/resolv.conf or /etc/hosts changed. */
  refresh(): Promise<void> {
    return this.#system.refresh();
  }

  [Symbol.dispose](): void {
    this.#system[Symbol.dispose]();
    this.#answers[Symbol.dispose]();
  }

  /** Loaded with the first question; what could not be is tried again with the next. */
  async #asking(): Promise<Asker> {
    try {
      return await (this.#asker ??= makeAsker(this.#budget));
    } catch (thrown) {
      this.#asker = undefined;
      throw thrown;
    }
  }

  #find(name: string, conf: ResolvConf, signal: AbortSignal): Promise<Places> {
    return this.#answers.ask(
      name,
      signal,
      (signal) =>
        within(this.#budget + LOOKUP_EXTRA, signal, `resolve "${name}"`, async (signal) => {
          const ask = await this.#asking();
          return await ask(name, conf, signal);
        }),
    );
  }
}

/** Of all servers that `conf` names. Rejects with GateError. */
type Asker = (name: string, conf: ResolvConf, signal: AbortSignal) => Promise<Places>;

/** dns-packet, dgram and net cost an idle gate 10 MB. */
async function makeAsker(budget: number): Promise<Asker> {
  const [{ Client }, { lookup }] = await Promise.all([import("./client.ts"), import("./lookup.ts")]);
  const client = new Client(budget);
  return (name, conf, signal) => {
    const ask: Ask = (question, signal) => client.ask(question, conf, signal);
    return lookup(ask, name, signal);
  };
}

/** What a name may be short for, in the order of resolv.conf(5): with `ndots` dots it is tried as it is first. */
export function candidates(
  name: string,
  { search, ndots }: { search: readonly string[]; ndots: number },
): string[] {
  const completed = search.map((domain) => normalName(`${name}.${domain}`)).filter((full) =>
    full !== undefined
  );
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...completed] : [...completed, name];
}

function hostPlace(host: string): Place {
  return { host };
}

function destination(
  target: Target,
  places: readonly Place[],
  lifetime: number,
  completed?: string,
): Destination {
  const endpoints = places.map(({ host, port, weight }) => ({
    address: { host, port: port ?? target.port },
    layers: [],
    ...weight !== undefined && { weight },
  }));
  return { target, ...completed !== undefined && { completed }, endpoints, source: "dns", lifetime };
}
