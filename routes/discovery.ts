/** Asks the sources of discovery in the configured order, and remembers what they said. */
import {
  canonicalHost,
  formatTarget,
  hostMatches,
  isUnixHost,
  parseIp,
  type Target,
} from "../gate/address.ts";
import type { Destination, Resolver } from "../gate/contracts.ts";
import { GateError } from "../gate/errors.ts";
import { type Answer, Answers } from "./answers.ts";
import { within } from "./deadline.ts";

/** A resolver that may hold sockets, files or timers. */
export type Source = Resolver & Partial<Disposable>;

/** How long one source may think, ms. */
const SOURCE_DEADLINE = 5000;
/** How long "nobody knows" holds, ms; a source that knows how long its own "no" holds remembers that itself. */
const NEGATIVE_LIFETIME = 5000;
/** The longest any answer is believed without asking again, ms; what an address means by itself holds that long. */
const LONGEST_LIFETIME = 24 * 3600_000;
const BOUNDS = { entries: 2048, flights: 4096 };

/** `deadline` (ms a source may think) and `now` (ms) are for tests. */
export interface DiscoveryOptions {
  readonly deadline?: number;
  readonly now?: () => number;
}

/**
 * One resolver made of several. The first that answers anything but undefined has answered: a source that fails ends
 * the question with its failure and never passes it on to the next.
 */
export class Discovery implements Resolver, Disposable {
  readonly #sources: readonly Source[];
  readonly #answers: Answers<Destination | undefined>;
  readonly #deadline: number;
  readonly #listeners: ((names: readonly string[]) => void)[] = [];

  constructor(sources: readonly Source[], options: DiscoveryOptions = {}) {
    this.#sources = sources;
    this.#deadline = options.deadline ?? SOURCE_DEADLINE;
    this.#answers = new Answers(BOUNDS, options.now);
    for (const source of sources) source.onChange?.((names) => this.#forget(names));
  }

  /**
   * Where the target lives; undefined: nobody knows it. `lifetime` is what is left of it. Rejects with GateError.
   * IP literals and unix sockets live at themselves, with the source "literal".
   */
  async resolve(target: Target, signal: AbortSignal): Promise<Destination | undefined> {
    const host = canonicalHost(target.host);
    if (host === undefined) return undefined;
    const asked: Target = { host, port: target.port };
    if (isUnixHost(host) || parseIp(host) !== undefined) return literal(asked);
    const key = formatTarget(asked);
    const { value, lifetime } = await this.#answers.ask(key, signal, (signal) => this.#ask(asked, signal));
    return value && { ...value, lifetime };
  }

  /** `changed` hears patterns as hostMatches has them ("*": anything may live elsewhere now). */
  onChange(changed: (names: readonly string[]) => void): void {
    this.#listeners.push(changed);
  }

  [Symbol.dispose](): void {
    this.#answers[Symbol.dispose]();
    for (const source of this.#sources) source[Symbol.dispose]?.();
  }

  async #ask(target: Target, signal: AbortSignal): Promise<Answer<Destination | undefined>> {
    const what = `resolve "${formatTarget(target)}"`;
    for (const source of this.#sources) {
      const found = await within(this.#deadline, signal, what, (signal) => source.resolve(target, signal));
      if (found === undefined) continue;
      if (found.endpoints.length === 0) {
        throw new GateError(
          "unreachable",
          "upstream",
          `Cannot ${what}: ${found.source} knows no place of it`,
        );
      }
      return { value: found, lifetime: Math.min(found.lifetime, LONGEST_LIFETIME) };
    }
    return { value: undefined, lifetime: NEGATIVE_LIFETIME };
  }

  #forget(names: readonly string[]): void {
    this.#answers.drop((key) => {
      const host = key.slice(0, key.lastIndexOf(":"));
      return names.some((pattern) => hostMatches(pattern, host));
    });
    for (const changed of this.#listeners) changed(names);
  }
}

function literal(target: Target): Destination {
  const endpoints = [{ address: target, layers: [] }];
  return { target, endpoints, source: "literal", lifetime: LONGEST_LIFETIME };
}
