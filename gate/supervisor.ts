/** Main's side of the engines: it binds, starts them, answers what they ask, gathers what they tell, and ends them. */
import v8 from "node:v8";
import { formatTarget } from "./address.ts";
import type { Resolver, Target } from "./contracts.ts";
import { asGateError, causeChain, GateError } from "./errors.ts";
import { type ListeningSocket, listenOn } from "./engine/bind.ts";
import { OWN_DIALS_SIZE } from "./engine/own_dials.ts";
import { signalEvent } from "./engine/sys.ts";
import { healthSize } from "./health.ts";
import { type LogFormat, messageLine } from "./journal.ts";
import { ConnectionLimits, LIMITS_SIZE } from "./limits.ts";
import type { Answer, Bound, Login, LoginAnswer, Order, Question, Report, Start } from "./orders.ts";
import type { Scope } from "./scope.ts";
import type { Snapshot } from "./snapshot.ts";
import { Tally } from "./tally.ts";

export interface SupervisorOptions {
  readonly snapshot: Snapshot;
  readonly addresses: readonly { readonly listener: string; readonly address: Target }[];
  readonly threads: number;
  /** The Worker's entry file. */
  readonly worker: URL;
  readonly discovery: Resolver;
  /** Whether the password is right. */
  readonly login: (login: Login) => Promise<LoginAnswer>;
  readonly log: {
    readonly format: LogFormat;
    /** Levels that are not logged. */
    readonly quiet: readonly string[];
    readonly write: (lines: string) => void;
  };
  /** Owns what runs for the engines. */
  readonly scope: Scope;
}

interface Engine {
  readonly worker: Worker;
  readonly port: MessagePort;
  wake: number;
  readonly ready: Promise<void>;
  readonly stopped: Promise<void>;
}

/** An engine that does not start, and one that does not end, within this many ms is given up. */
const START_TIME = 10_000, STOP_TIME = 3_000;

export class Supervisor {
  readonly tally = new Tally();
  readonly #options: SupervisorOptions;
  readonly #sockets: { readonly socket: ListeningSocket; readonly bound: Bound }[] = [];
  readonly #engines: Engine[] = [];
  readonly #limits = new SharedArrayBuffer(LIMITS_SIZE);
  readonly #health: SharedArrayBuffer;
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0];
  readonly #broken = Promise.withResolvers<GateError>();
  #stopping = false;
  #snapshot: Snapshot;

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#snapshot = options.snapshot;
    const endpoints = options.snapshot.routes.flatMap((route) => route.to);
    this.#health = new SharedArrayBuffer(
      healthSize(1 + Math.max(0, ...endpoints.map(({ health }) => health))),
    );
  }

  /** Binds everything, starts every engine, then serves. Throws GateError, and leaves nothing open then. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    try {
      supervisor.#bind();
      supervisor.#startEngines();
      await withDeadline(
        Promise.all(supervisor.#engines.map(({ ready }) => ready)),
        START_TIME,
        "start an engine",
      );
      for (const { bound } of supervisor.#sockets) supervisor.#order({ op: "listen", bound });
      return supervisor;
    } catch (thrown) {
      await supervisor.stop();
      throw asGateError(thrown);
    }
  }

  /** What listens where, with the ports that the kernel chose. */
  get listening(): readonly { readonly listener: string; readonly address: string }[] {
    return this.#sockets.map(({ socket, bound }) => ({
      listener: bound.listener,
      address: formatTarget(socket.address),
    }));
  }

  /** Answers when an engine ends by itself: what it carried is lost, and its share of new connections waits. */
  get broken(): Promise<GateError> {
    return this.#broken.promise;
  }

  /** For the status page. */
  status() {
    const limits = new ConnectionLimits(this.#limits, this.#seed);
    return { listeners: this.listening, connections: limits.connections, ...this.tally.status() };
  }

  /** Names that these patterns cover changed their place: engines forget what they knew of them. */
  forget(patterns: readonly string[]): void {
    this.#order({ op: "changed", patterns });
  }

  /** Listeners close, connections end with a reset, the engines end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#order({ op: "stop" });
    await Promise.all(this.#engines.map(async ({ worker, port, stopped }) => {
      await withDeadline(stopped, STOP_TIME, "stop an engine").catch(() => {});
      worker.terminate();
      port.close();
    }));
    this.#engines.length = 0;
    for (const { socket } of this.#sockets) socket.close();
    this.#sockets.length = 0;
  }

  #bind(): void {
    const names = Object.keys(this.#snapshot.listeners);
    for (const { listener, address } of this.#options.addresses) {
      const socket = listenOn(address);
      const number = names.indexOf(listener);
      const bound = { fd: socket.fd, listener, address: formatTarget(socket.address), number };
      this.#sockets.push({ socket, bound });
    }
    const own = this.#sockets.map(({ socket }) => socket.address);
    this.#snapshot = { ...this.#snapshot, own: [...this.#snapshot.own, ...own] };
  }

  #startEngines(): void {
    // Most of what an engine allocates dies with its turn: a small young generation keeps pauses and memory small.
    v8.setFlagsFromString("--max-semi-space-size=4");
    const ownDials = new SharedArrayBuffer(OWN_DIALS_SIZE);
    for (let engine = 0; engine < this.#options.threads; engine++) {
      const { port1, port2 } = new MessageChannel();
      const start: Start = {
        snapshot: this.#snapshot,
        port: port2,
        engine,
        engines: this.#options.threads,
        limits: this.#limits,
        health: this.#health,
        ownDials,
        seed: this.#seed,
        log: { format: this.#options.log.format, connections: !this.#options.log.quiet.includes("info") },
      };
      this.#engines.push(this.#startEngine(start, port1));
    }
  }

  #startEngine(start: Start, port: MessagePort): Engine {
    const worker = new Worker(this.#options.worker, { type: "module", name: `engine-${start.engine}` });
    const ready = Promise.withResolvers<void>(), stopped = Promise.withResolvers<void>();
    ready.promise.catch(() => {}); // start() hears of it where it still matters
    const engine: Engine = { worker, port, wake: -1, ready: ready.promise, stopped: stopped.promise };
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      if (data.op === "ready") {
        engine.wake = data.wake;
        ready.resolve();
      } else if (data.op === "stopped") {
        stopped.resolve();
        this.#ended(new GateError("internal", "gate", "Cannot go on: an engine ended by itself"));
      } else this.#hear(engine, data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const reason = new GateError("internal", "gate", `Cannot run an engine: ${event.message}`);
      this.#log("error", reason.message);
      ready.reject(reason);
      stopped.resolve();
      this.#ended(reason);
    };
    worker.postMessage(start, [start.port]);
    return engine;
  }

  #ended(reason: GateError): void {
    if (!this.#stopping) this.#broken.resolve(reason);
  }

  #hear(engine: Engine, report: Report): void {
    switch (report.op) {
      case "question":
        return this.#options.scope.spawn("answer", this.#answer(engine, report.id, report.question));
      case "journal":
        this.tally.add(report.batch);
        if (report.batch.lines) this.#options.log.write(report.batch.lines);
        return;
      case "limits":
        this.tally.hit(report.hits);
        for (const [limit, times] of report.hits) this.#log("warn", `limit ${limit} was hit ${times} times`);
        return;
      case "endpoint":
        return this.#tellEndpoint(report.endpoint, report.reason);
      case "fault":
        return this.#log("error", `engine fault (${report.what}): ${report.text}`);
    }
  }

  #tellEndpoint(endpoint: string, reason: string | undefined): void {
    if (reason === undefined) this.#log("info", `endpoint ${endpoint} is back`);
    else this.#log("warn", `endpoint ${endpoint} is left out for a while: ${reason}`);
  }

  async #answer(engine: Engine, id: number, question: Question): Promise<void> {
    let answer: Answer;
    try {
      answer = question.ask === "resolve"
        ? {
          id,
          destination: await this.#options.discovery.resolve(question.target, this.#options.scope.stopping),
        }
        : { id, login: await this.#options.login(question.login) };
    } catch (thrown) {
      const { failure, side } = asGateError(thrown);
      answer = { id, failed: { failure, side, message: causeChain(thrown) } };
    }
    this.#tell(engine, { op: "answer", answer });
  }

  #order(order: Order): void {
    for (const engine of this.#engines) this.#tell(engine, order);
  }

  #tell(engine: Engine, order: Order): void {
    if (engine.wake < 0) return;
    engine.port.postMessage(order);
    signalEvent(engine.wake);
  }

  #log(level: "info" | "warn" | "error", message: string): void {
    const { format, write, quiet } = this.#options.log;
    if (!quiet.includes(level)) write(messageLine(format, level, message));
  }
}

async function withDeadline<T>(promise: Promise<T>, ms: number, act: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new GateError("timeout", "gate", `Cannot ${act}: no answer within ${ms} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
