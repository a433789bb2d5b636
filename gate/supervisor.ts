/** Main's side of the engines: it binds, starts them, gives them what holds, answers what they ask, and ends them. */
import type { Resolver } from "./contracts.ts";
import type { ListeningSocket } from "./engine/bind.ts";
import { EngineHost, type Host } from "./engine_host.ts";
import { asGateError, causeChain, GateError } from "./errors.ts";
import { type EndpointHealth, Health } from "./health.ts";
import { ConnectionLimits } from "./limits.ts";
import type { Message } from "./log.ts";
import { Listening, type Wanted } from "./listening.ts";
import { makeLedger, makeSharedMemory, type SharedMemory } from "./memory.ts";
import type { EngineState, LiveConnection } from "./operations.ts";
import type { Answer, Bound, Login, LoginAnswer, Order, Question, Report } from "./orders.ts";
import type { Scope } from "./scope.ts";
import type { Snapshot } from "./snapshot.ts";

export interface SupervisorOptions {
  readonly threads: number;
  /** A thread for an engine. */
  readonly worker: () => Worker;
  /** Binds; throws GateError. */
  readonly bind: (wanted: Wanted) => ListeningSocket;
  /** Who knows where names live, at this time. */
  readonly discovery: () => Resolver;
  /** Whether the password is right. */
  readonly login: (login: Login) => Promise<LoginAnswer>;
  /** What engines tell of connections and endpoints. */
  readonly hear: (report: Report) => void;
  readonly log: (message: Message) => void;
  /** Owns what runs for the engines. */
  readonly scope: Scope;
}

/** What is to hold: the addresses that listeners have, and the rules; `own` without what the kernel chooses. */
export interface Desired {
  readonly snapshot: Snapshot;
  readonly wanted: readonly Wanted[];
}

/** An engine that does not end within this many ms is given up. */
const STOP_TIME = 3000;
/** Deaths within a minute that are too many: starting again does not help then. */
const MOST_DEATHS = 5, MINUTE = 60_000;
/** Rules that an engine takes at once. */
const RULES = 64;
/** Engines are looked at this often, ms; one that did not turn so many times in a row is stuck. */
const LOOK_INTERVAL = 1000, STUCK_AFTER = 10;

export class Supervisor implements Host {
  readonly #options: SupervisorOptions;
  readonly #listening: Listening;
  readonly #engines: EngineHost[] = [];
  readonly #memory: SharedMemory;
  /** Main counts nothing in it. */
  readonly #ledger = makeLedger();
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0];
  readonly #broken = Promise.withResolvers<GateError>();
  readonly #restarts: number[];
  readonly #deaths: number[] = [];
  /** By engine: its beat when it was looked at last, and how often that was the same. */
  readonly #looked: { beat: number; same: number }[];
  #looking: ReturnType<typeof setInterval> | undefined;
  #stopping = false;
  #snapshot: Snapshot;

  private constructor(options: SupervisorOptions, snapshot: Snapshot) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#memory = makeSharedMemory(options.threads);
    this.#restarts = Array(options.threads).fill(0);
    this.#looked = this.#restarts.map(() => ({ beat: 0, same: 0 }));
    this.#listening = new Listening(options.bind, {
      listen: (bound) => this.#order({ op: "listen", bound }),
      unlisten: async ({ fd }) => {
        await Promise.all(this.#engines.map((engine) => engine.unlisten(fd).catch(() => {}))); // it is dead then
      },
    });
  }

  /** Binds everything, starts every engine, then serves. Throws GateError, and leaves nothing open then. */
  static async start(options: SupervisorOptions, desired: Desired): Promise<Supervisor> {
    const supervisor = new Supervisor(options, desired.snapshot);
    try {
      const change = await supervisor.#listening.prepare(desired.wanted);
      supervisor.#snapshot = withOwn(desired.snapshot, supervisor.#listening.addresses(change));
      for (let engine = 0; engine < options.threads; engine++) supervisor.#startEngine(engine);
      await Promise.all(supervisor.#engines.map(({ ready }) => ready));
      await supervisor.#listening.commit(change);
      supervisor.#looking = setInterval(() => supervisor.#look(), LOOK_INTERVAL);
      return supervisor;
    } catch (thrown) {
      await supervisor.stop();
      throw asGateError(thrown);
    }
  }

  /** Makes it hold, by difference; `holds` is called when nothing can fail any more. Throws GateError where an address cannot be bound: then nothing changed. */
  async apply({ snapshot, wanted }: Desired, holds: () => void): Promise<void> {
    const change = await this.#listening.prepare(wanted);
    holds();
    this.#snapshot = withOwn(snapshot, this.#listening.addresses(change));
    for (const engine of this.#engines) this.#tellSnapshot(engine);
    await this.#listening.commit(change);
  }

  /** What holds. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** What listens where, with the ports that the kernel chose. */
  get listening(): readonly Bound[] {
    return this.#listening.bound;
  }

  /** Answers when the engines cannot be kept running. */
  get broken(): Promise<GateError> {
    return this.#broken.promise;
  }

  get engines(): readonly EngineState[] {
    return this.#engines.map((engine, number) => ({
      engine: number,
      restarts: this.#restarts[number],
      alive: engine.alive && this.#looked[number].same < 2,
    }));
  }

  /** Counters in shared memory, as they are now. */
  get limits(): ConnectionLimits {
    return new ConnectionLimits(this.#memory.limits, this.#ledger.limits, this.#seed);
  }

  /** Loads and failures of endpoints, as they are now. */
  get health(): EndpointHealth {
    return new Health(this.#memory.health, this.#ledger.health);
  }

  /** Names that these patterns cover changed their place: engines forget what they knew of them. */
  forget(patterns: readonly string[]): void {
    this.#order({ op: "changed", patterns });
  }

  /** `most` of the live connections, the newest first, and how many there are. */
  async list(most: number): Promise<{ total: number; connections: readonly LiveConnection[] }> {
    const lists = await Promise.all(this.#alive.map((engine) => engine.list(most)));
    const connections = lists.flatMap(({ connections }) => connections);
    return {
      total: lists.reduce((sum, { total }) => sum + total, 0),
      connections: connections.sort((a, b) => b.began - a.began || b.id - a.id).slice(0, most),
    };
  }

  /** Resolves when the engines told all that they counted so far. */
  async count(): Promise<void> {
    await Promise.all(this.#alive.map((engine) => engine.count()));
  }

  /** Nothing new is taken from here on. */
  async stopListening(): Promise<void> {
    await this.#listening.close();
  }

  /** Resolves when nobody is left, at the latest after `ms`. */
  async drain(ms: number): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.drain(ms).catch(() => {}))); // stop() cuts who is left
  }

  /** Listeners close, connections end with a reset, the engines end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#looking);
    await Promise.all([this.#listening.close(), ...this.#engines.map((engine) => engine.stop(STOP_TIME))]);
    this.#engines.length = 0;
  }

  heard(engine: EngineHost, report: Report): void {
    if (report.op === "question") {
      const answering = this.#answer(engine, report.id, report.question);
      return this.#options.scope.spawn("answer", answering);
    }
    if (report.op === "fault") {
      const text = `engine fault (${report.what}): ${report.text}`;
      return this.#options.log({ level: "error", event: "fault", text });
    }
    this.#options.hear(report);
  }

  died(engine: EngineHost, reason: GateError, closed: number): void {
    if (this.#stopping) return;
    const now = performance.now();
    this.#deaths.push(now);
    while (this.#deaths[0] < now - MINUTE) this.#deaths.shift();
    const again = this.#deaths.length <= MOST_DEATHS;
    const then = again ? "it is started again" : "that is too often";
    const text = `${reason.message}; ${closed} descriptors it left are closed, ${then}`;
    this.#options.log({ level: "error", event: "engine", text });
    if (!again || this.#looking === undefined) return this.#broken.resolve(reason);
    this.#restarts[engine.number]++;
    this.#options.scope.spawn(`engine ${engine.number}`, this.#restart(engine.number));
  }

  async #restart(number: number): Promise<void> {
    const engine = this.#startEngine(number);
    try {
      await engine.ready;
    } catch {
      return; // it died again, or the gate stops
    }
    this.#tellSnapshot(engine); // it may be another one by now
    for (const bound of this.#listening.bound) engine.tell({ op: "listen", bound });
    this.#options.log({ level: "info", event: "engine", text: `engine ${number} serves again` });
  }

  #startEngine(number: number): EngineHost {
    const start = {
      snapshot: this.#snapshot,
      engine: number,
      engines: this.#options.threads,
      memory: this.#memory,
      seed: this.#seed,
      restarts: this.#restarts[number],
    };
    return this.#engines[number] = new EngineHost(this.#options.worker(), start, this);
  }

  get #alive(): EngineHost[] {
    return this.#engines.filter(({ alive }) => alive);
  }

  /** One that is stuck cannot be ended from outside: the program has to, and who supervises it starts it again. */
  #look(): void {
    for (const [number, engine] of this.#engines.entries()) {
      const looked = this.#looked[number];
      looked.same = engine.alive && looked.beat === engine.beat ? looked.same + 1 : 0;
      looked.beat = engine.beat;
      if (looked.same < STUCK_AFTER) continue;
      this.#broken.resolve(
        new GateError("internal", "gate", `Cannot go on: engine ${number} did not turn for ${STUCK_AFTER} s`),
      );
    }
  }

  async #answer(engine: EngineHost, id: number, question: Question): Promise<void> {
    const { discovery, login, scope } = this.#options;
    let answer: Answer;
    try {
      answer = question.ask === "resolve"
        ? { id, destination: await discovery().resolve(question.target, scope.stopping) }
        : { id, login: await login(question.login) };
    } catch (thrown) {
      const { failure, side } = asGateError(thrown);
      answer = { id, failed: { failure, side, message: causeChain(thrown) } };
    }
    engine.tell({ op: "answer", answer });
  }

  #tellSnapshot(engine: EngineHost): void {
    const { routes, policy } = this.#snapshot;
    for (let at = 0; at < Math.max(routes.length, policy.length); at += RULES) {
      const end = at + RULES;
      engine.tell({ op: "rules", routes: routes.slice(at, end), policy: policy.slice(at, end) });
    }
    engine.tell({ op: "snapshot", snapshot: { ...this.#snapshot, routes: [], policy: [] } });
  }

  #order(order: Order): void {
    for (const engine of this.#engines) engine.tell(order);
  }
}

/** The addresses of this gate itself are denied by policy: also those that were given for port 0. */
function withOwn(snapshot: Snapshot, addresses: Snapshot["own"]): Snapshot {
  return { ...snapshot, own: [...snapshot.own, ...addresses] };
}
