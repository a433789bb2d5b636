/** The engines of a gate: started, looked after, started again when they die, given up, and ended. */
import { EngineHost, type Host } from "./engine_host.ts";
import { GateError } from "./errors.ts";
import { type EndpointHealth, Health } from "./health.ts";
import type { Proof } from "./identity/identity.ts";
import { ConnectionLimits } from "./limits.ts";
import type { Message } from "./log.ts";
import { makeLedger, makeSharedMemory, type SharedMemory } from "./memory.ts";
import type { EngineState, LiveConnection, NodeStatus, Population } from "./operations.ts";
import type { Order, Report } from "./orders.ts";
import type { Scope } from "./scope.ts";
import type { Snapshot } from "./snapshot.ts";
import { nextTicketKeys, TICKET_KEY_HOLDS } from "./ticket_keys.ts";

export interface EnginesOptions {
  readonly threads: number;
  /** A thread for an engine. */
  readonly worker: () => Worker;
  readonly log: (message: Message) => void;
  /** Owns what runs for the engines. */
  readonly scope: Scope;
}

/** Who has the engines. */
export interface Owner {
  /** What an engine starts with: what holds at this time. */
  readonly snapshot: Snapshot;
  /** Everything an engine tells of connections and endpoints, and asks. */
  heard(engine: EngineHost, report: Report): void;
  /** An engine was started again, and has to hear what holds by now. */
  serves(engine: EngineHost): void;
  /** An engine died, with all connections that it had. */
  died(engine: number): void;
}

/** An engine that does not end within this many ms is given up. */
const STOP_TIME = 3000;
/** Deaths within a minute that are too many: starting again does not help then. */
const MOST_DEATHS = 5, MINUTE = 60_000;
/** Engines are looked at this often, ms; one that did not turn so many times in a row is silent, or stuck. */
const LOOK_INTERVAL = 1000, SILENT_AFTER = 2, STUCK_AFTER = 10;

export class Engines implements Host {
  readonly #options: EnginesOptions;
  readonly #owner: Owner;
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
  #ticketKeys = nextTicketKeys();
  #rotating: ReturnType<typeof setInterval> | undefined;
  #stopping = false;

  constructor(options: EnginesOptions, owner: Owner) {
    this.#options = options;
    this.#owner = owner;
    this.#memory = makeSharedMemory(options.threads);
    this.#restarts = Array(options.threads).fill(0);
    this.#looked = this.#restarts.map(() => ({ beat: 0, same: 0 }));
  }

  /** Rejects with GateError where one does not start. */
  async start(): Promise<void> {
    for (let engine = 0; engine < this.#options.threads; engine++) this.#start(engine);
    await Promise.all(this.#engines.map(({ ready }) => ready));
  }

  /** From now on one that dies is started again, and one that hangs is seen. */
  lookAfter(): void {
    this.#looking = setInterval(() => this.#look(), LOOK_INTERVAL);
    this.#rotating = setInterval(() => this.rotateTicketKeys(), TICKET_KEY_HOLDS);
  }

  /** Other keys for the tickets of TLS, on every engine. */
  rotateTicketKeys(): void {
    this.#ticketKeys = nextTicketKeys(this.#ticketKeys);
    this.tell({ op: "ticketKeys", keys: this.#ticketKeys });
  }

  /** Connections end with a reset, the engines end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#looking);
    clearInterval(this.#rotating);
    await Promise.all(this.#engines.map((engine) => engine.stop(STOP_TIME)));
    this.#engines.length = 0;
  }

  /** Answers when they cannot be kept running. */
  get broken(): Promise<GateError> {
    return this.#broken.promise;
  }

  get states(): readonly EngineState[] {
    return this.#engines.map((engine, number) => ({
      engine: number,
      restarts: this.#restarts[number],
      alive: engine.alive && this.#looked[number].same < SILENT_AFTER,
    }));
  }

  /** That all threads share. */
  get memory(): SharedMemory {
    return this.#memory;
  }

  /** The one of that number, while it is alive. */
  alive(number: number): EngineHost | undefined {
    const engine = this.#engines[number];
    return engine?.alive ? engine : undefined;
  }

  /** Counters in shared memory, as they are now. */
  get limits(): ConnectionLimits {
    return new ConnectionLimits(this.#memory.limits, this.#ledger.limits, this.#seed);
  }

  /** Loads and failures of endpoints, as they are now. */
  get health(): EndpointHealth {
    return new Health(this.#memory.health, this.#ledger.health);
  }

  tell(order: Order): void {
    for (const engine of this.#engines) engine.tell(order);
  }

  forEach(act: (engine: EngineHost) => void): void {
    this.#engines.forEach(act);
  }

  /**
   * `most` of the live connections, the newest first, and how many there are: of the engines that answer. Rejects with
   * GateError where none does.
   */
  async list(most: number): Promise<{ total: number; connections: readonly LiveConnection[] }> {
    const asked = this.#alive, lists = await answers(asked.map((engine) => engine.list(most)));
    if (lists.length === 0 && asked.length > 0) {
      throw new GateError("timeout", "gate", "Cannot list connections: no engine answers");
    }
    const connections = lists.flatMap(({ connections }) => connections);
    return {
      total: lists.reduce((sum, { total }) => sum + total, 0),
      connections: connections.sort((a, b) => b.began - a.began || b.id - a.id).slice(0, most),
    };
  }

  /**
   * The connections that others are reached through, by their first names: of the engines that answer. Rejects with
   * GateError where none does.
   */
  async nodes(): Promise<readonly NodeStatus[]> {
    const asked = this.#alive, told = await answers(asked.map((engine) => engine.nodes()));
    if (told.length === 0 && asked.length > 0) {
      throw new GateError("timeout", "gate", "Cannot list nodes: no engine answers");
    }
    return told.flat().sort((a, b) => order(a.names[0], b.names[0]) || a.id - b.id);
  }

  /** Resolves when the engines that answer told all that they counted so far: with who is there. */
  async count(): Promise<Population> {
    return together(await answers(this.#alive.map((engine) => engine.count())));
  }

  /** Resolves when none watches that listening socket any more. */
  async unlisten(fd: number): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.unlisten(fd)));
  }

  /** Resolves when nobody is left, at the latest after `ms`: stop() cuts who is. */
  async drain(ms: number): Promise<void> {
    await answers(this.#engines.map((engine) => engine.drain(ms)));
  }

  heard(engine: EngineHost, report: Report): void {
    if (report.op !== "fault") return this.#owner.heard(engine, report);
    const text = `engine fault (${report.what}): ${report.text}`;
    this.#options.log({ level: "error", event: "fault", text });
  }

  died(engine: EngineHost, reason: GateError, closed: number): void {
    if (this.#stopping) return;
    if (this.#looking === undefined) return this.#broken.resolve(reason); // the start fails, and tells why
    const now = performance.now();
    this.#deaths.push(now);
    while (this.#deaths[0] < now - MINUTE) this.#deaths.shift();
    const again = this.#deaths.length <= MOST_DEATHS;
    const then = again ? "it is started again" : "that is too often";
    const text = `${reason.message}; ${closed} descriptors it left are closed, ${then}`;
    this.#options.log({ level: "error", event: "engine", text });
    this.#owner.died(engine.number);
    if (!again) return this.#broken.resolve(reason);
    this.#restarts[engine.number]++;
    this.#options.scope.spawn(`engine ${engine.number}`, this.#restart(engine.number));
  }

  async #restart(number: number): Promise<void> {
    const engine = this.#start(number);
    try {
      await engine.ready;
    } catch {
      return; // it died again, or the gate stops
    }
    this.#owner.serves(engine);
    this.#options.log({ level: "info", event: "engine", text: `engine ${number} serves again` });
  }

  #start(number: number): EngineHost {
    const start = {
      snapshot: this.#owner.snapshot,
      engine: number,
      engines: this.#options.threads,
      memory: this.#memory,
      seed: this.#seed,
      restarts: this.#restarts[number],
      ticketKeys: this.#ticketKeys,
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
}

function together(all: readonly Population[]): Population {
  const proven: Partial<Record<Proof, number>> = {}, sum = { nodes: 0, names: 0, streams: 0 };
  for (const { nodes, names, streams, proven: own } of all) {
    sum.nodes += nodes;
    sum.names += names;
    sum.streams += streams;
    for (const proof of Object.keys(own) as Proof[]) proven[proof] = (proven[proof] ?? 0) + own[proof]!;
  }
  return { ...sum, proven };
}

const order = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;

/** What came: one engine that hangs or dies while it is asked takes nothing away from what the others tell. */
async function answers<T>(asked: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
}
