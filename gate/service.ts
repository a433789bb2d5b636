/** The running gate as a whole, on the main thread: what holds, who serves it, and what an operator sees and does. */
import { parseTarget } from "./address.ts";
import { type Admin, startAdmin } from "./admin/server.ts";
import { compileSnapshot, freeNumbers, logs, makeNumbering } from "./config/compile.ts";
import type { Configuration } from "./config/configuration.ts";
import { differences } from "./config/differences.ts";
import type { Loaded } from "./config/load.ts";
import type { Resolver, Target } from "./contracts.ts";
import type { ListeningSocket } from "./engine/bind.ts";
import type { GateError } from "./errors.ts";
import { Bursts } from "./bursts.ts";
import type { Message } from "./log.ts";
import { type LogFormat, messageLine } from "./log_line.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Wanted } from "./listening.ts";
import type { Operations, ReloadOutcome, Status, Trial } from "./operations.ts";
import type { Report } from "./orders.ts";
import { Logins } from "./logins.ts";
import type { Users } from "./passwords.ts";
import { Reloads, type ReloadsOptions } from "./reloads.ts";
import { throttledMessage } from "./throttle.ts";
import type { Scope } from "./scope.ts";
import { type Desired, Supervisor } from "./supervisor.ts";
import { Tally } from "./tally.ts";
import { type Facts, statusOf } from "./status.ts";

/** Where names live, while one configuration holds. */
export interface Names extends Resolver, Disposable {
  onChange(changed: (patterns: readonly string[]) => void): void;
}

export interface ServiceParts {
  readonly loaded: Loaded;
  readonly read: ReloadsOptions["read"];
  readonly parse: ReloadsOptions["parse"];
  readonly keep: ReloadsOptions["keep"];
  readonly busy: ReloadsOptions["busy"];
  /** A thread for an engine. */
  readonly worker: () => Worker;
  readonly namesOf: (config: Configuration) => Names;
  readonly bind: (wanted: Wanted) => ListeningSocket;
  readonly formatOf: (config: Configuration) => LogFormat;
  readonly log: LogWriter;
  readonly scope: Scope;
}

export class Service implements Operations {
  readonly #startedAt = Date.now();
  readonly #parts: ServiceParts;
  readonly #tally = new Tally();
  readonly #bursts = new Bursts();
  readonly #ticking = setInterval(() => {
    for (const message of this.#bursts.tick(clock())) this.say(message);
  }, 1000);
  readonly #numbering = makeNumbering();
  readonly #logins = new Logins({ throttled: (throttled) => this.say(throttledMessage(throttled)) });
  readonly #reloads: Reloads;
  #supervisor!: Supervisor;
  #names: Names;
  #admin: Admin | undefined;
  #config: Configuration;
  #version = 0;
  #ready = false;
  #draining = false;

  private constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#config = parts.loaded.config;
    this.#names = parts.namesOf(this.#config);
    this.#reloads = new Reloads({
      current: parts.loaded,
      read: parts.read,
      parse: parts.parse,
      keep: parts.keep,
      busy: parts.busy,
      apply: (loaded) => this.#apply(loaded),
      log: (message) => this.say(message),
    });
  }

  /** Binds everything, then serves. Throws GateError, and leaves nothing open then. */
  static async start(parts: ServiceParts): Promise<Service> {
    const service = new Service(parts);
    try {
      const users = usersOf(service.#config);
      await service.#logins.prepare(users);
      service.#logins.replace(users);
      service.#admin = await service.#startAdmin(service.#config);
      service.#supervisor = await Supervisor.start({
        threads: service.#config.engine.threads,
        worker: parts.worker,
        bind: parts.bind,
        discovery: () => service.#names,
        login: (login) => service.#logins.check(login),
        hear: (report) => service.#hear(report),
        log: (message) => service.say(message),
        scope: parts.scope,
      }, service.#desired(service.#config));
      service.#follow(service.#names);
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
    return this.#supervisor.broken;
  }

  get listening() {
    return this.#supervisor.listening;
  }

  get adminAddresses(): readonly string[] {
    return this.#admin?.addresses ?? [];
  }

  get config(): Configuration {
    return this.#config;
  }

  /** Nothing new is taken; resolves when nobody is left, at the latest after the grace. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#reloads.stop();
    await this.#supervisor.stopListening();
    const { connections } = this.#supervisor.limits, { grace } = this.#config.limits;
    const wait = connections > 0 ? `, waits up to ${grace / 1000} s for ${connections} connections` : "";
    this.say({ level: "info", event: "life", text: `stopping: takes nothing new${wait}` });
    await this.#supervisor.drain(grace);
    const left = this.#supervisor.limits.connections;
    if (left > 0) {
      this.say({ level: "warn", event: "life", text: `the grace is over: ${left} connections are cut` });
    }
  }

  /** Cuts who is left. */
  async stop(): Promise<void> {
    this.#ready = false;
    clearInterval(this.#ticking);
    await this.#reloads.stop();
    await this.#supervisor?.stop();
    await this.#admin?.close();
    this.#names[Symbol.dispose]();
  }

  say(message: Message): void {
    if (!logs(this.#config.log.level, message.level)) return;
    this.#parts.log.write(messageLine(this.#parts.formatOf(this.#config), message));
  }

  async status(): Promise<Status> {
    await this.#supervisor.count();
    return statusOf(this.#facts());
  }

  async metrics(): Promise<string> {
    const [{ metricsText }] = await Promise.all([import("./metrics.ts"), this.#supervisor.count()]);
    return metricsText(this.#facts());
  }

  connections(most: number): ReturnType<Operations["connections"]> {
    return this.#supervisor.list(most);
  }

  configuration(): unknown {
    return this.#reloads.current.shown;
  }

  healthy(): boolean {
    return this.#supervisor?.engines.every(({ alive }) => alive) ?? true;
  }

  ready(): boolean {
    return this.#ready && !this.#draining && this.healthy();
  }

  reload(): Promise<ReloadOutcome> {
    return this.#reloads.reload();
  }

  try(text: string, ms: number): Promise<ReloadOutcome & { readonly trial?: Trial }> {
    return this.#reloads.try(text, ms);
  }

  get trial(): Trial | undefined {
    return this.#reloads.trial;
  }

  confirm(id: string): Promise<boolean> {
    return this.#reloads.confirm(id);
  }

  /** Makes a configuration hold, by difference. Throws GateError: then everything is as it was. */
  async #apply(loaded: Loaded): Promise<{ changes: readonly string[]; warnings: readonly string[] }> {
    const before = this.#config, { config } = loaded;
    await this.#logins.prepare(usersOf(config));
    const { changes, restart } = differences(before, config);
    const admin = sameAdmin(before, config) ? undefined : await this.#startAdmin(config);
    const names = sameNames(before, config) ? undefined : this.#parts.namesOf(config);
    try {
      freeNumbers(this.#numbering, this.#supervisor.snapshot, this.#supervisor);
      await this.#supervisor.apply(this.#desired(config, admin), () => {
        this.#config = config;
        this.#logins.replace(usersOf(config));
        if (names) this.#follow(names);
      });
    } catch (thrown) {
      await admin?.close();
      names?.[Symbol.dispose]();
      throw thrown;
    }
    if (admin) {
      // Not waited for: it may be the old page that asked for this, and waits for its answer.
      if (this.#admin) this.#parts.scope.spawn("admin", this.#admin.close());
      this.#admin = admin;
    }
    return { changes, warnings: [...loaded.warnings, ...restart] };
  }

  /** `admin`: the page that will be there then. */
  #desired(config: Configuration, admin = this.#admin): Desired {
    const snapshot = compileSnapshot(config, {
      version: ++this.#version,
      numbering: this.#numbering,
      users: this.#logins.digests(usersOf(config)),
      format: this.#parts.formatOf(config),
    });
    const wanted = Object.values(config.listeners).flatMap(({ name, addresses }) =>
      addresses.map((address) => ({ listener: name, address }))
    );
    return { snapshot: { ...snapshot, own: [...snapshot.own, ...pageTargets(admin)] }, wanted };
  }

  /** Names live where this says from now on. */
  #follow(names: Names): void {
    if (this.#names !== names) this.#names[Symbol.dispose]();
    this.#names = names;
    names.onChange((patterns) => this.#supervisor.forget(patterns));
    this.#supervisor.forget(["*"]);
  }

  #startAdmin({ admin }: Configuration): Promise<Admin> {
    return startAdmin({
      address: admin.address ?? "off",
      metrics: admin.metrics ?? "off",
      operations: this,
      previous: this.#admin,
    });
  }

  #facts(): Facts {
    const { snapshot, listening, engines, limits, health } = this.#supervisor;
    const { history: reloads, trial, current } = this.#reloads;
    return {
      config: this.#config,
      files: current.files,
      ...{ snapshot, listening, engines, limits, health, reloads, trial },
      tally: this.#tally,
      startedAt: this.#startedAt,
      draining: this.#draining,
      linesLost: this.#parts.log.lost,
    };
  }

  #hear(report: Report): void {
    switch (report.op) {
      case "journal":
        this.#tally.add(report.batch);
        if (report.batch.lines) this.#parts.log.write(report.batch.lines);
        return;
      case "limits":
        this.#tally.hit(report.hits);
        for (const message of this.#bursts.hit(report.hits, clock())) this.say(message);
        return;
      case "endpoint":
        return this.say(endpointMessage(report.endpoint, report.reason));
    }
  }
}

/** By listener, what each user gives as password. */
const usersOf = ({ listeners }: Configuration): Users =>
  Object.fromEntries(Object.values(listeners).map(({ name, users }) => [name, users ?? {}]));

const pageTargets = (admin: Admin | undefined): Target[] =>
  (admin?.addresses ?? []).map(parseTarget).filter((target) => target !== undefined);

const sameAdmin = (a: Configuration, b: Configuration): boolean => same(a.admin, b.admin);

const sameNames = (a: Configuration, b: Configuration): boolean =>
  same([a.hosts, a.discovery, a.dns], [b.hosts, b.discovery, b.dns]);

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const clock = (): number => performance.timeOrigin + performance.now();

const endpointMessage = (endpoint: string, reason: string | undefined): Message => ({
  level: reason === undefined ? "info" : "warn",
  event: "endpoint",
  text: reason === undefined
    ? `endpoint ${endpoint} is back`
    : `endpoint ${endpoint} is left out for a while: ${reason}`,
  fields: { endpoint },
});
