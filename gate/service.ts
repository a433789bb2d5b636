/** The running gate as a whole, on the main thread: what holds, and what an operator sees of it and does to it. */
import { Bursts } from "./bursts.ts";
import { logs } from "./config/compile.ts";
import type { Configuration } from "./config/configuration.ts";
import type { Loaded } from "./config/load.ts";
import type { GateError } from "./errors.ts";
import { inTime } from "./in_time.ts";
import { InForce, type Means } from "./in_force.ts";
import type { Message } from "./log.ts";
import { messageLine } from "./log_line.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Confirmation, Operations, Population, ReloadOutcome, Status, Trial } from "./operations.ts";
import type { Report } from "./orders.ts";
import { Reloads, type ReloadsOptions } from "./reloads.ts";
import { type Facts, statusOf } from "./status.ts";
import { Tally } from "./tally.ts";
import { throttledMessage } from "./throttle.ts";

type Reading = Pick<ReloadsOptions, "read" | "isKnown" | "parse" | "keep" | "busy">;

export interface ServiceParts extends Means, Reading {
  readonly loaded: Loaded;
  readonly log: LogWriter;
}

/** So long a stop waits for a reload under way, ms. */
const RELOAD_TIME = 3000;

export class Service implements Operations {
  readonly #startedAt = Date.now();
  readonly #parts: ServiceParts;
  readonly #tally = new Tally();
  readonly #bursts = new Bursts();
  readonly #ticking = setInterval(() => {
    for (const message of this.#bursts.tick(clock())) this.say(message);
  }, 1000);
  readonly #reloads: Reloads;
  readonly #inForce: InForce;
  #ready = false;
  #draining = false;

  private constructor(parts: ServiceParts) {
    const { loaded, read, isKnown, parse, keep, busy } = parts;
    const say = (message: Message) => this.say(message);
    this.#parts = parts;
    this.#inForce = new InForce(loaded, parts, {
      operations: this,
      hear: (report, engine) => this.#hear(report, engine),
      say,
      inTurn: (act) => this.#reloads.between(act),
    });
    this.#reloads = new Reloads({
      current: loaded,
      ...{ read, isKnown, parse, keep, busy },
      apply: (loaded) => this.#inForce.apply(loaded),
      log: say,
    });
  }

  /** Binds everything, then serves. Throws GateError, and leaves nothing open then. */
  static async start(parts: ServiceParts): Promise<Service> {
    const service = new Service(parts);
    try {
      await service.#inForce.start();
      service.#ready = true;
      await service.#reloads.started();
      return service;
    } catch (thrown) {
      await service.stop();
      throw thrown;
    }
  }

  /** Resolves when the engines cannot be kept running. */
  get broken(): Promise<GateError> {
    return this.#inForce.supervisor.broken;
  }

  /** Connections that are there. */
  get present(): number {
    return this.#inForce.supervisor.limits.connections;
  }

  get listening() {
    return this.#inForce.supervisor.listening;
  }

  get adminAddresses(): readonly string[] {
    return this.#inForce.adminAddresses;
  }

  get config(): Configuration {
    return this.#inForce.config;
  }

  /** Nothing new is taken; resolves when nobody is left, at the latest after the grace. */
  async drain(): Promise<void> {
    this.#draining = true;
    const { supervisor } = this.#inForce, ended = this.#endReloads();
    this.#inForce.stopOrders();
    await supervisor.stopListening(); // not behind a reload that waits for its file
    await ended;
    const { connections } = supervisor.limits, { grace } = this.config.limits;
    const wait = connections > 0 ? `, waits up to ${grace / 1000} s for ${connections} connections` : "";
    this.say({ level: "info", event: "life", text: `stopping: takes nothing new${wait}` });
    await supervisor.drain(grace);
    const left = supervisor.limits.connections;
    if (left > 0) {
      this.say({ level: "warn", event: "life", text: `the grace is over: ${left} connections are cut` });
    }
  }

  /** Cuts who is left. */
  async stop(): Promise<void> {
    this.#ready = false;
    clearInterval(this.#ticking);
    await this.#endReloads();
    await this.#inForce.stop();
  }

  /** No reload begins after this; one whose file cannot be read to its end is not waited for long. */
  async #endReloads(): Promise<void> {
    await inTime(this.#reloads.stop(), RELOAD_TIME);
  }

  say(message: Message): void {
    if (!logs(this.config.log.level, message.level)) return;
    this.#parts.log.write(messageLine(this.#parts.formatOf(this.config), message));
  }

  async status(): Promise<Status> {
    return statusOf(this.#facts(await this.#inForce.supervisor.count()));
  }

  async metrics(): Promise<string> {
    const counted = this.#inForce.supervisor.count();
    const [{ metricsText }, population] = await Promise.all([import("./metrics.ts"), counted]);
    return metricsText(this.#facts(population));
  }

  async connections(most: number): ReturnType<Operations["connections"]> {
    return await this.#inForce.supervisor.list(most);
  }

  async nodes(): ReturnType<Operations["nodes"]> {
    return await this.#inForce.supervisor.nodes();
  }

  configuration(): unknown {
    return this.#reloads.current.shown;
  }

  healthy(): boolean {
    return !this.#inForce.started || this.#inForce.supervisor.engines.every(({ alive }) => alive);
  }

  ready(): boolean {
    return this.#ready && !this.#draining && this.healthy();
  }

  async reload(): Promise<ReloadOutcome> {
    this.#inForce.requireStarted();
    return await this.#reloads.reload();
  }

  async try(text: string, ms: number): Promise<ReloadOutcome & { readonly trial?: Trial }> {
    this.#inForce.requireStarted();
    return await this.#reloads.try(text, ms);
  }

  get trial(): Trial | undefined {
    return this.#reloads.trial;
  }

  confirm(id: string): Promise<Confirmation> {
    return this.#reloads.confirm(id);
  }

  #hear(report: Report, engine: number): void {
    switch (report.op) {
      case "ready":
        return this.#tally.started(engine);
      case "journal":
        this.#tally.add(report.batch, engine);
        if (report.batch.lines.length > 0) this.#parts.log.write(report.batch.lines);
        return;
      case "limits":
        this.#tally.hit(report.hits);
        for (const message of this.#bursts.hit(report.hits, clock())) this.say(message);
        return;
      case "throttled":
        return this.say(throttledMessage(report.source));
      case "endpoint":
        return this.say(endpointMessage(report.endpoint, report.reason));
    }
  }

  #facts(population: Population): Facts {
    const { config, names, orders, supervisor: { snapshot, listening, engines, limits, health } } =
      this.#inForce;
    const { history: reloads, trial, current } = this.#reloads;
    return {
      config,
      files: current.files,
      ...{ names, orders },
      ...{ snapshot, listening, engines, limits, health, reloads, trial },
      ...{ tally: this.#tally, population },
      startedAt: this.#startedAt,
      draining: this.#draining,
      linesLost: this.#parts.log.lost,
    };
  }
}

const clock = (): number => performance.timeOrigin + performance.now();

const endpointMessage = (endpoint: string, reason: string | undefined): Message => ({
  level: reason === undefined ? "info" : "warn",
  event: "endpoint",
  text: reason === undefined
    ? `endpoint ${endpoint} is back`
    : `endpoint ${endpoint} is left out for a while: ${reason}`,
  fields: { endpoint },
});
