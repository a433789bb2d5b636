/**
 * Certificates from an authority, on the main thread: those that are kept are there from the start, what is missing is
 * ordered, what ends is renewed in time. Each name has a certificate of its own, so none waits for another's.
 */
import type { AcmeConfiguration } from "../config/configuration.ts";
import { causeChain } from "../errors.ts";
import type { Message } from "../log.ts";
import type { Scope } from "../scope.ts";
import { type Issued, issuedFor } from "./issued.ts";
import { Kept } from "./kept.ts";
import { failedLine, issuedLine, unkeptLine, uselessLine } from "./log_lines.ts";
import { OrderFailed, Orders, type OrdersParts } from "./orders.ts";
import { Pace, pauseAfter, renewalTime } from "./schedule.ts";

export interface AgentParts extends OrdersParts {
  /** node.state */
  readonly state: string;
  /** Another certificate is there; resolves when engines were told. */
  readonly changed: () => Promise<void>;
  readonly say: (message: Message) => void;
  readonly scope: Scope;
}

/** One name, and how it stands with its certificate: plain data. Times in ms since the epoch. */
export interface NameState {
  readonly name: string;
  /** Where its certificate is kept. */
  readonly file: string;
  /** undefined: there is none yet. */
  readonly issued: Issued | undefined;
  /** When the authority is asked next; undefined: now. */
  readonly next: number | undefined;
  /** Why it gave none when it was asked last. */
  readonly failure: string | undefined;
}

/** Orders that came to an end, since the start. */
export type OrderCounts = Readonly<Record<"issued" | "failed", number>>;

interface Entry {
  readonly name: string;
  issued: Issued | undefined;
  failures: number;
  failure: string | undefined;
  /** When the authority is asked. */
  next: number;
  busy: boolean;
}

/** What a configuration wants, and what is on disk of it: nothing of it holds yet. */
export interface Prepared {
  readonly acme: AcmeConfiguration | undefined;
  /** PEM; absent: Mozilla's. */
  readonly roots: string | undefined;
  readonly entries: ReadonlyMap<string, Entry>;
}

const NOTHING: Prepared = { acme: undefined, roots: undefined, entries: new Map() };
/** Orders at once: what one name waits for, a failing one before it does not hold up. */
const MOST_ORDERS = 4;
/** Clocks are set and machines sleep: times are looked at again after so many ms. */
const LOOK_AGAIN = 60 * 60_000;

export class AcmeAgent {
  readonly #parts: AgentParts;
  readonly #kept: Kept;
  readonly #counts = { issued: 0, failed: 0 };
  #held = NOTHING;
  #orders: Promise<Orders> | undefined;
  readonly #pace = new Pace();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#kept = new Kept(parts.state);
  }

  /**
   * Reads what is kept for the names that are new. Never rejects: what is broken is told, and ordered again. `granted`:
   * names that nodes brought about, which are ordered some at a time.
   */
  async prepare(
    acme: AcmeConfiguration | undefined,
    roots: string | undefined,
    granted: readonly string[] = [],
  ): Promise<Prepared> {
    if (!acme) return NOTHING;
    const same = sameParty(acme, this.#held.acme), paced = new Set(granted);
    const entries = [...acme.names, ...granted].map(async (name): Promise<[string, Entry]> => {
      const there = this.#held.entries.get(name);
      if (there && same) return [name, there];
      const issued = there?.issued ?? await this.#read(name);
      const next = issued?.directory === acme.directory
        ? renewalTime(issued.facts)
        : paced.has(name)
        ? this.#pace.next(Date.now())
        : 0;
      return [name, { name, issued, failures: 0, failure: undefined, next, busy: false }];
    });
    return { acme, roots, entries: new Map(await Promise.all(entries)) };
  }

  /** This holds from now on. */
  hold(prepared: Prepared): void {
    if (!sameParty(prepared.acme, this.#held.acme)) this.#endOrders();
    this.#held = prepared;
    this.#look();
  }

  get states(): readonly NameState[] {
    return Array.from(this.#held.entries.values(), ({ name, issued, failure, next, busy }) => {
      const soon = busy || next <= Date.now();
      return { name, file: this.#kept.path(name), issued, next: soon ? undefined : next, failure };
    });
  }

  get counts(): OrderCounts {
    return this.#counts;
  }

  /** No order begins after this, and those that run are given up. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#endOrders();
  }

  async #read(name: string): Promise<Issued | undefined> {
    try {
      return await this.#kept.read(name);
    } catch (thrown) {
      this.#parts.say(uselessLine(name, thrown));
      return undefined;
    }
  }

  /** Begins what is due, and comes again when more is. */
  #look(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const entries = Array.from(this.#held.entries.values()), now = Date.now();
    const idle = entries.filter(({ busy }) => !busy).sort((a, b) => a.next - b.next);
    const free = MOST_ORDERS - (entries.length - idle.length);
    const due = idle.filter(({ next }) => next <= now).slice(0, Math.max(0, free));
    for (const entry of due) this.#parts.scope.spawn(`certificate of ${entry.name}`, this.#renew(entry));
    const [first] = idle.filter(({ next }) => next > now);
    if (first) this.#timer = setTimeout(() => this.#look(), Math.min(LOOK_AGAIN, first.next - now));
  }

  /** Never rejects. After each failure another challenge is tried: it may be the one whose port leads here. */
  async #renew(entry: Entry): Promise<void> {
    const { acme } = this.#held, { name, failures } = entry;
    const { directory, challenges } = acme!;
    entry.busy = true;
    try {
      const orders = await (this.#orders ?? this.#beginOrders());
      if (!this.#isHeld(entry)) return; // and those orders are over
      const pair = await orders.issue(name, challenges[failures % challenges.length]);
      if (!this.#isHeld(entry)) return;
      const issued = issuedFor(name, directory, pair);
      this.#counts.issued++;
      const again = entry.issued !== undefined;
      Object.assign(entry, { issued, failures: 0, failure: undefined, next: renewalTime(issued.facts) });
      await this.#keep(issued); // first: a reload under way may hold up the rest, and an authority issues only so many
      await this.#parts.changed();
      this.#parts.say(issuedLine(issued, again));
    } catch (thrown) {
      if (!this.#isHeld(entry)) return;
      this.#counts.failed++;
      this.#fail(entry, thrown, challenges.length);
    } finally {
      entry.busy = false;
      this.#look();
    }
  }

  /** `ways`: challenges that there are; at first they are tried one behind the other. */
  #fail(entry: Entry, thrown: unknown, ways: number): void {
    const { unproven, retryAfter } = thrown instanceof OrderFailed ? thrown.why : { unproven: false };
    const failures = ++entry.failures, another = unproven && failures < ways;
    const pause = another ? 0 : pauseAfter(Math.max(1, failures - ways + 1), retryAfter);
    entry.failure = causeChain(thrown);
    entry.next = Date.now() + pause;
    this.#parts.say(failedLine(entry, pause));
  }

  #beginOrders(): Promise<Orders> {
    const { acme, roots } = this.#held, { directory, email } = acme!;
    const orders = this.#kept.accountKey(directory).then((accountKey) =>
      new Orders({ directory, email, roots, accountKey }, this.#parts)
    );
    orders.catch(() => { // it may be readable the next time
      if (this.#orders === orders) this.#orders = undefined;
    });
    return this.#orders = orders;
  }

  #endOrders(): void {
    this.#orders?.then((orders) => orders.stop(), () => {});
    this.#orders = undefined;
  }

  /** Whether what becomes of it is of interest. */
  #isHeld(entry: Entry): boolean {
    return !this.#stopped && this.#held.entries.get(entry.name) === entry;
  }

  /** A gate that cannot write serves all the same. */
  async #keep(issued: Issued): Promise<void> {
    try {
      await this.#kept.write(issued);
    } catch (thrown) {
      this.#parts.say(unkeptLine(issued, thrown));
    }
  }
}

/** Whether orders of the one may go on under the other. */
function sameParty(a: AcmeConfiguration | undefined, b: AcmeConfiguration | undefined): boolean {
  return a?.directory === b?.directory && a?.email === b?.email && a?.digest === b?.digest;
}
