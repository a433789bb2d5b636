/** What holds: one configuration, and the parts that serve it. Another one takes its place by difference. */
import type { AcmeAgent, NameState, OrderCounts, Prepared } from "./acme/agent.ts";
import type { GrantedNames } from "./acme/granted.ts";
import type { Issued } from "./acme/issued.ts";
import { parseTarget, type Target } from "./address.ts";
import { type Admin, startAdmin } from "./admin/server.ts";
import { compileSnapshot, freeNumbers, makeNumbering } from "./config/compile.ts";
import type { Configuration } from "./config/configuration.ts";
import type { Credentials } from "./config/credentials.ts";
import { differences } from "./config/differences.ts";
import type { Loaded } from "./config/load.ts";
import type { Keyring } from "./keyring.ts";
import type { Resolver } from "./contracts.ts";
import type { ListeningSocket } from "./engine/bind.ts";
import { GateError, placed } from "./errors.ts";
import type { HostKeyRule } from "./identity/logins.ts";
import { NODE_SUFFIXES } from "./identity/node_id.ts";
import type { Node } from "./identity/node_identity.ts";
import { blame, listenersOf, pagesOf } from "./handover.ts";
import type { Wanted } from "./listening.ts";
import type { Message } from "./log.ts";
import type { LogFormat } from "./log_line.ts";
import { Logins } from "./logins.ts";
import type { Operations, Printed, Reading } from "./operations.ts";
import { type MeshNames, meshRules, Registrations } from "./mesh/registrations.ts";
import type { Report } from "./orders.ts";
import type { Users } from "./passwords.ts";
import type { Scope } from "./scope.ts";
import type { CertificateRule, SshRules } from "./snapshot.ts";
import { type Desired, Supervisor } from "./supervisor.ts";
import { type Throttled, throttledMessage } from "./throttle.ts";
import { Tokens } from "./tokens.ts";

/** Where names live, while one configuration holds. */
export interface Names extends Resolver, Disposable {
  onChange(changed: (patterns: readonly string[]) => void): void;
}

/** What a configuration is made to hold with. */
export interface Means {
  /** A thread for an engine. */
  readonly worker: () => Worker;
  /** Whom our client of SSH believes, and what it logs in with. */
  readonly keyringOf: (
    credentials: Credentials,
    node: () => Promise<Node>,
    warn: (text: string) => void,
  ) => Keyring;
  readonly namesOf: (config: Configuration, mesh: MeshNames) => Names;
  readonly bind: (wanted: Wanted) => ListeningSocket;
  readonly formatOf: (config: Configuration) => LogFormat;
  /** Who this gate is; rejects with GateError. */
  readonly node: (loaded: Pick<Loaded, "config" | "credentials">) => Promise<Node>;
  /** A thread for orders of certificates. */
  readonly acmeWorker: () => Worker;
  /** What a verb of the command line prints of this gate. Rejects with GateError. */
  readonly print: (
    reading: Reading,
    operations: Operations,
    config: Configuration,
    credentials: Credentials,
  ) => Promise<Printed>;
  readonly scope: Scope;
}

/** Who has it. */
export interface Owner {
  /** What the admin page speaks to. */
  readonly operations: Operations;
  /** What engines tell of connections and endpoints. */
  hear(report: Report, engine: number): void;
  say(message: Message): void;
  /** Runs between two configurations that are applied. */
  inTurn(act: () => Promise<void>): Promise<void>;
}

export class InForce {
  readonly #means: Means;
  readonly #owner: Owner;
  /** What threads and directories were made for: what differs from it takes a restart. */
  readonly #started: Configuration;
  readonly #numbering = makeNumbering();
  readonly #logins: Logins;
  readonly #tokens: Tokens;
  /** There since a configuration first asked for it. */
  #acme: AcmeAgent | undefined;
  readonly #registrations: Registrations;
  #granted: GrantedNames | undefined;
  #config: Configuration;
  #credentials: Credentials;
  #ssh: SshRules | undefined;
  #names: Names;
  #keyring: Keyring;
  #admin: Admin | undefined;
  #supervisor: Supervisor | undefined;
  #version = 0;

  constructor({ config, credentials }: Loaded, means: Means, owner: Owner) {
    this.#means = means;
    this.#owner = owner;
    this.#config = this.#started = config;
    this.#credentials = credentials;
    this.#keyring = this.#keyringOf(config, credentials);
    this.#registrations = new Registrations(meshRules(config));
    this.#names = means.namesOf(config, this.#registrations);
    const throttled = (source: Throttled) => owner.say(throttledMessage(source));
    this.#logins = new Logins({ throttled });
    this.#tokens = new Tokens({ throttled, scope: means.scope, say: (message) => owner.say(message) });
  }

  /** Binds everything, then serves. Throws GateError; stop() closes what is open then. */
  async start(): Promise<void> {
    const { worker, scope } = this.#means;
    await this.#prepare(this.#config);
    this.#believe(this.#config);
    this.#admin = await this.#startAdmin(this.#config);
    this.#ssh = await this.#prepareSsh(this.#config, this.#credentials);
    this.#registrations.configure(meshRules(this.#config, this.#ssh?.logins));
    const prepared = await this.#prepareAcme(this.#config, this.#credentials);
    this.#supervisor = await Supervisor.start({
      threads: this.#config.engine.threads,
      worker,
      bind: (wanted) => this.#bind(wanted),
      discovery: () => this.#names,
      login: (login) => this.#logins.check(login),
      token: (given) => this.#tokens.check(given),
      keyring: () => this.#keyring,
      print: (reading) => this.#means.print(reading, this.#owner.operations, this.#config, this.#credentials),
      hear: (report, engine) => this.#owner.hear(report, engine),
      log: (message) => this.#owner.say(message),
      scope,
      registrations: this.#registrations,
    }, this.#desired(this.#config, this.#credentials, this.#ssh, prepared));
    this.#follow(this.#names);
    this.#acme?.hold(prepared);
  }

  get config(): Configuration {
    return this.#config;
  }

  get adminAddresses(): readonly string[] {
    return this.#admin?.addresses ?? [];
  }

  /** Whether start() is over. */
  get started(): boolean {
    return this.#supervisor !== undefined;
  }

  /** Throws GateError before the start is over: the admin page answers earlier. */
  requireStarted(): void {
    if (!this.#supervisor) throw new GateError("unreachable", "gate", "Cannot do this yet: the gate starts");
  }

  /** Who serves. Throws GateError as requireStarted(). */
  get supervisor(): Supervisor {
    this.requireStarted();
    return this.#supervisor!;
  }

  /** Makes a configuration hold, by difference. Throws GateError: then everything is as it was. */
  async apply(loaded: Loaded): Promise<{ changes: readonly string[]; warnings: readonly string[] }> {
    const before = this.#config, { config, credentials } = loaded;
    await this.#prepare(config);
    const admin = same(before.admin, config.admin) ? undefined : await this.#startAdmin(config);
    const names = sameNames(before, config) ? undefined : this.#means.namesOf(config, this.#registrations);
    const prepared = await this.#prepareAcme(config, credentials),
      ssh = await this.#prepareSsh(config, credentials);
    try {
      freeNumbers(this.#numbering, this.supervisor.snapshot, this.supervisor);
      await this.supervisor.apply(this.#desired(config, credentials, ssh, prepared, admin), () => {
        this.#config = config;
        this.#ssh = ssh;
        this.#credentials = credentials;
        this.#keyring = this.#keyringOf(config, credentials);
        this.#registrations.configure(meshRules(config, ssh?.logins));
        this.#acme?.hold(prepared);
        this.#believe(config);
        if (names) this.#follow(names);
      });
    } catch (thrown) {
      await admin?.close();
      names?.[Symbol.dispose]();
      throw thrown;
    }
    if (admin) {
      // Not waited for: it may be the old page that asked for this, and waits for its answer.
      if (this.#admin) this.#means.scope.spawn("admin", this.#admin.close());
      this.#admin = admin;
    }
    const { changes } = differences(before, config), { restart } = differences(this.#started, config);
    return { changes, warnings: [...loaded.warnings, ...restart] };
  }

  /** No certificate is ordered after this: no authority could come in to ask. */
  stopOrders(): void {
    this.#granted?.[Symbol.dispose]();
    this.#acme?.stop();
  }

  /** Cuts who is left. */
  async stop(): Promise<void> {
    this.stopOrders();
    await this.#supervisor?.stop();
    await this.#admin?.close();
    this.#names[Symbol.dispose]();
  }

  /** Names whose certificates an authority issues. */
  get names(): readonly NameState[] {
    return this.#acme?.states ?? [];
  }

  get orders(): OrderCounts {
    return this.#acme?.counts ?? { issued: 0, failed: 0 };
  }

  /** What this needs of an authority. The code for it is loaded where there is one. */
  async #prepareAcme(config: Configuration, { acmeRoots }: Credentials): Promise<Prepared> {
    const { acme } = config;
    if (acme && !this.#acme) {
      const { AcmeAgent } = await import("./acme/agent.ts");
      const owner = this.#owner, { acmeWorker: worker, scope } = this.#means;
      this.#acme = new AcmeAgent({
        state: this.#started.node.state,
        worker,
        publish: (pending) => this.supervisor.challenge(pending),
        changed: () => owner.inTurn(() => this.#renewed()),
        say: (message) => owner.say(message),
        scope,
      });
      this.#granted = await this.#followRegistrations();
    }
    return await this.#acme?.prepare(acme, acmeRoots, this.#granted?.namesFor(config)) ??
      { acme: undefined, roots: undefined, entries: new Map() };
  }

  /** Names that nodes register may need certificates, too. */
  async #followRegistrations(): Promise<GrantedNames> {
    const { GrantedNames, MOST_GRANTED } = await import("./acme/granted.ts");
    const text = `more than ${MOST_GRANTED} registered names want certificates: some get none`;
    return new GrantedNames({
      rows: () => this.#registrations.rows,
      onRegistered: (told) => this.#registrations.onRegistered(told),
      changed: () => this.#means.scope.spawn("certificates", this.#owner.inTurn(() => this.#renewed())),
      crowded: () => this.#owner.say({ level: "warn", event: "certificate", text }),
    });
  }

  /** What an authority issued holds beside the files, and it is asked for what is wanted now. */
  async #renewed(): Promise<void> {
    const prepared = await this.#prepareAcme(this.#config, this.#credentials);
    const desired = this.#desired(this.#config, this.#credentials, this.#ssh, prepared);
    this.supervisor.refresh(desired.snapshot);
    this.#acme?.hold(prepared);
  }

  /** Who this gate is where SSH ends here, and whom it believes; undefined: no listener speaks it. */
  async #prepareSsh(config: Configuration, credentials: Credentials): Promise<SshRules | undefined> {
    if (!credentials.logins) return undefined;
    const { ssh: { banner, loginTimeout }, issuers } = config, { logins, hostKey } = credentials.logins;
    return {
      hostKeys: [hostKey ?? hostKeyOf(await this.#means.node({ config, credentials }))],
      logins,
      banner,
      loginTimeout,
      issuers: issuers.map(({ issuer }) => issuer),
      audiences: [`ssh://${hostOf(config)}`],
    };
  }

  /** `admin`: the page that will be there then. */
  #desired(
    config: Configuration,
    credentials: Credentials,
    ssh: SshRules | undefined,
    { entries }: Prepared,
    admin = this.#admin,
  ): Desired {
    const snapshot = compileSnapshot(config, {
      version: ++this.#version,
      numbering: this.#numbering,
      users: this.#logins.digests(listenerUsers(config)),
      setName: (users) => this.#logins.nameOf(users),
      digestsOf: (users) => this.#logins.digests({ [ROUTES]: users })[ROUTES] ?? {},
      format: this.#means.formatOf(config),
      credentials,
      ssh,
      issued: Array.from(entries.values(), ({ name, issued }) => issued ? ruleOf(issued) : pendingRule(name)),
    });
    const wanted = Object.values(config.listeners).flatMap(({ name, addresses, places }) =>
      addresses.map((address, i) => ({ listener: name, address, place: places[i] }))
    );
    return { snapshot: { ...snapshot, own: [...snapshot.own, ...pageTargets(admin)] }, wanted };
  }

  /** Loads what verifies passwords and tokens, where some may be given. */
  async #prepare(config: Configuration): Promise<void> {
    await this.#logins.prepare(listenerUsers(config), routeUsers(config));
    await this.#tokens.prepare(config.issuers);
  }

  #keyringOf(config: Configuration, credentials: Credentials): Keyring {
    const warn = (text: string) => this.#owner.say({ level: "warn", event: "warning", text });
    return this.#means.keyringOf(credentials, () => this.#means.node({ config, credentials }), warn);
  }

  /** These users and issuers hold from now on. */
  #believe(config: Configuration): void {
    const sets = routeUsers(config).map((users) => [this.#logins.nameOf(users), users] as const);
    this.#logins.replace({ ...listenerUsers(config), ...Object.fromEntries(sets) });
    this.#tokens.replace(config.issuers);
  }

  /** Names live where this says from now on. */
  #follow(names: Names): void {
    if (this.#names !== names) this.#names[Symbol.dispose]();
    this.#names = names;
    names.onChange((patterns) => this.supervisor.forget(patterns));
    this.supervisor.forget(["*"]);
  }

  #bind(wanted: Wanted): ListeningSocket {
    try {
      return this.#means.bind(wanted);
    } catch (thrown) {
      throw placed(wanted.place, blame(thrown, [wanted.address], pagesOf(this.#config)));
    }
  }

  async #startAdmin(config: Configuration): Promise<Admin> {
    const { address = "off", metrics = "off" } = config.admin;
    const { operations } = this.#owner;
    try {
      return await startAdmin({ address, metrics, operations, previous: this.#admin });
    } catch (thrown) {
      throw blame(thrown, pagesOf(config).map(({ address }) => address), listenersOf(this.#config));
    }
  }
}

/** Users of routes are one person wherever they are named alike and give the same password. No listener is called so. */
const ROUTES = "";

const hostKeyOf = ({ identity: { sshHostKey }, secrets: { sshHostPkcs8 } }: Node): HostKeyRule => (
  { algorithm: sshHostKey.type, blob: sshHostKey.blob, pkcs8: sshHostPkcs8 }
);

/** `NAME.DOMAIN` */
function hostOf({ node: { name, domain } }: Configuration): string {
  const end = `.${domain || NODE_SUFFIXES[0]}`;
  return name.endsWith(end) ? name : name + end;
}

const ruleOf = ({ facts: { names, notAfter, digest }, keyPair }: Issued): CertificateRule => (
  { place: "acme", names, notAfter, digest, ...keyPair }
);

const pendingRule = (name: string): CertificateRule => (
  { place: "acme", names: [name], notAfter: 0, digest: "", chain: "", key: "", pending: true }
);

/** By listener, what each user gives as password. */
const listenerUsers = ({ listeners }: Configuration): Users =>
  Object.fromEntries(Object.values(listeners).flatMap(({ name, users }) => users ? [[name, users]] : []));

/** The same of routes that handle requests: a set for each. */
const routeUsers = ({ routes }: Configuration): Users[string][] =>
  routes.map(({ http }) => http?.auth?.basic).filter((users) => users !== undefined);

const pageTargets = (admin: Admin | undefined): Target[] =>
  (admin?.addresses ?? []).map(parseTarget).filter((target) => target !== undefined);

const sameNames = (a: Configuration, b: Configuration): boolean =>
  same([a.hosts, a.discovery, a.dns], [b.hosts, b.discovery, b.dns]);

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
