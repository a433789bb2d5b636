/** One engine as main sees it: its Worker, the orders to it, its reports, its death. */
import { GateError } from "./errors.ts";
import { signalEvent } from "./engine/sys.ts";
import { type Ledger, makeLedger, settle, type SharedMemory } from "./memory.ts";
import type { LiveConnection, NodeStatus, Population } from "./operations.ts";
import type { Order, Report, Start } from "./orders.ts";

/** An engine that does not start within this many ms is given up. */
const START_TIME = 10_000;
/** So long main waits for what an engine tells of itself, ms: who asked is not to wait for one that hangs. */
const ASK_TIME = 1000;

export interface Host {
  /** Everything it tells that no order asked for. */
  heard(engine: EngineHost, report: Report): void;
  /** It ended by itself, and is settled: so many descriptors it left were closed. */
  died(engine: EngineHost, reason: GateError, closed: number): void;
}

type Waiting = { readonly hear: (report: Report) => boolean; readonly fail: (reason: GateError) => void };

export class EngineHost {
  readonly number: number;
  /** Rejects where it does not start. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #memory: SharedMemory;
  readonly #ledger: Ledger;
  readonly #host: Host;
  /** Orders that wait for a report. */
  readonly #waiting = new Set<Waiting>();
  #wake = -1;
  #nextId = 1;
  #stopping = false;
  #over = false;

  /** `worker`: its thread, which this one ends. */
  constructor(worker: Worker, start: Omit<Start, "port" | "ledger">, host: Host) {
    const { port1, port2 } = new MessageChannel();
    this.number = start.engine;
    this.#port = port1;
    this.#memory = start.memory;
    this.#ledger = makeLedger();
    this.#host = host;
    this.#worker = worker;
    this.#worker.onmessage = ({ data }: MessageEvent<Report>) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#ended(new GateError("internal", "gate", `Cannot run engine ${this.number}: ${event.message}`));
    };
    this.ready = this.#told("start", START_TIME, (report) => report.op === "ready" || undefined).then(
      () => {},
    );
    this.ready.catch((reason) => this.#ended(reason)); // who starts it hears of it where it still matters
    this.#worker.postMessage({ ...start, port: port2, ledger: this.#ledger }, [port2]);
  }

  get alive(): boolean {
    return this.#wake >= 0 && !this.#over;
  }

  /** Turns of its loop so far. */
  get beat(): number {
    return new Int32Array(this.#memory.beats)[this.number];
  }

  tell(order: Order): void {
    if (!this.alive) return;
    this.#port.postMessage(order);
    signalEvent(this.#wake);
  }

  /**
   * Resolves when it watches that listening socket no more, or is over: before that the descriptor may not be closed.
   * One that hangs is given up by who looks after it, so there is no deadline here.
   */
  async unlisten(fd: number): Promise<void> {
    if (!this.alive) return;
    const done = this.#heard((report) => report.op === "unlistened" && report.fd === fd).promise;
    this.tell({ op: "unlisten", fd });
    await done.catch(() => {}); // it is over
  }

  /** Its live connections, the newest first, and how many there are. */
  async list(most: number): Promise<{ total: number; connections: LiveConnection[] }> {
    const id = this.#nextId++, connections: LiveConnection[] = [];
    const listed = this.#told("list connections", ASK_TIME, (report) => {
      if (report.op !== "listed" || report.id !== id) return undefined;
      connections.push(...report.connections);
      return report.more ? undefined : { total: report.total, connections };
    });
    this.tell({ op: "list", id, most });
    return await listed;
  }

  /** Its connections that others are reached through. */
  async nodes(): Promise<NodeStatus[]> {
    const id = this.#nextId++, nodes: NodeStatus[] = [];
    const told = this.#told("list nodes", ASK_TIME, (report) => {
      if (report.op !== "nodes" || report.id !== id) return undefined;
      nodes.push(...report.nodes);
      return report.more ? undefined : nodes;
    });
    this.tell({ op: "nodes", id });
    return await told;
  }

  /** Resolves when everything it counted so far was told: with who is there. */
  async count(): Promise<Population> {
    const id = this.#nextId++;
    const counted = this.#told(
      "count bytes",
      ASK_TIME,
      (report) => report.op === "counted" && report.id === id ? report.population : undefined,
    );
    this.tell({ op: "count", id });
    return await counted;
  }

  /** Resolves when nobody is left; `ms` bounds it. */
  async drain(ms: number): Promise<void> {
    if (!this.alive) return;
    const drained = this.#told("drain", ms, (report) => report.op === "drained");
    this.tell({ op: "drain" });
    await drained;
  }

  /** It ends every connection, and itself; within `ms` or by force. */
  async stop(ms: number): Promise<void> {
    this.#stopping = true;
    if (this.alive) {
      const stopped = this.#told("stop", ms, (report) => report.op === "stopped");
      this.tell({ op: "stop" });
      await stopped.catch(() => {});
    }
    this.#close(new GateError("closed", "gate", `Cannot go on: engine ${this.number} was stopped`));
  }

  #hear(report: Report): void {
    if (report.op === "ready") this.#wake = report.wake;
    for (const waiting of this.#waiting) {
      if (waiting.hear(report)) this.#waiting.delete(waiting);
    }
    if (report.op === "stopped" && !this.#stopping) {
      this.#ended(new GateError("internal", "gate", `Cannot go on: engine ${this.number} ended by itself`));
    } else this.#host.heard(this, report);
  }

  /** The report in which `find` sees what it looks for: anything but undefined and false. Rejects when it is over. */
  #heard<T>(find: (report: Report) => T | undefined | false) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const hear = (report: Report) => {
      const found = find(report);
      if (found === undefined || found === false) return false;
      resolve(found);
      return true;
    };
    const waiting: Waiting = { hear, fail: reject };
    this.#waiting.add(waiting);
    return { promise, waiting };
  }

  /** As #heard, within `ms`. */
  async #told<T>(act: string, ms: number, find: (report: Report) => T | undefined | false): Promise<T> {
    const { promise, waiting } = this.#heard(find);
    const timer = setTimeout(() => {
      this.#waiting.delete(waiting);
      waiting.fail(late(this.number, act, ms));
    }, ms);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #ended(reason: GateError): void {
    if (this.#over || this.#stopping) return;
    this.#close(reason);
    this.#host.died(this, reason, settle(this.#memory, this.#ledger, this.number));
  }

  #close(reason: GateError): void {
    this.#over = true;
    this.#worker.terminate();
    this.#port.close();
    for (const { fail } of this.#waiting) fail(reason);
    this.#waiting.clear();
  }
}

const late = (engine: number, act: string, ms: number) =>
  new GateError("timeout", "gate", `Cannot ${act}: engine ${engine} did not answer within ${ms} ms`);
