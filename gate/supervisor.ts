/** Main's side of the engines: it binds, gives them what holds, and answers what they ask. */
import { NO_CHALLENGES, type PendingChallenges } from "./acme/pending.ts";
import type { Target } from "./address.ts";
import type { Destination, Resolver } from "./contracts.ts";
import type { TokenAnswer } from "./requests.ts";
import type { ListeningSocket } from "./engine/bind.ts";
import type { SignatureCheck } from "./engine/openssl_keys.ts";
import type { EngineHost } from "./engine_host.ts";
import { Engines, type EnginesOptions, type Owner } from "./engines.ts";
import { asGateError, causeChain, type GateError } from "./errors.ts";
import { FilesHost } from "./files_host.ts";
import type { EndpointHealth } from "./health.ts";
import type { Keyring } from "./keyring.ts";
import type { ConnectionLimits } from "./limits.ts";
import { Listening, type Wanted } from "./listening.ts";
import type { EngineState, LiveConnection, NodeStatus, Population, Printed, Reading } from "./operations.ts";
import { MeshHost } from "./mesh/mesh_host.ts";
import type { Registrations } from "./mesh/registrations.ts";
import type { Answer, Bound, GivenToken, Login, LoginAnswer, Question, Report } from "./orders.ts";
import type { Snapshot } from "./snapshot.ts";

export interface SupervisorOptions extends EnginesOptions {
  /** Binds; throws GateError. */
  readonly bind: (wanted: Wanted) => ListeningSocket;
  /** Who knows where names live, at this time. */
  readonly discovery: () => Resolver;
  /** Whether the password is right. */
  readonly login: (login: Login) => Promise<LoginAnswer>;
  /** What a token proves; rejects with GateError where the keys for it are not known. */
  readonly token: (given: GivenToken) => Promise<TokenAnswer | "throttled">;
  /** Whom our client of SSH believes, and what it logs in with, at this time. */
  readonly keyring: () => Keyring;
  /** What a verb of the command line prints; rejects with GateError. */
  readonly print: (reading: Reading) => Promise<Printed>;
  /** Who is connected under which names. */
  readonly registrations: Registrations;
  /** What engines tell of connections and endpoints. */
  readonly hear: (report: Report, engine: number) => void;
}

/** What is to hold: the addresses that listeners have, and the rules; `own` without what the kernel chooses. */
export interface Desired {
  readonly snapshot: Snapshot;
  readonly wanted: readonly Wanted[];
}

/** Rules that an engine takes at once. */
const RULES = 64;
/** Certificates, which are larger. */
const CERTIFICATES = 8;
const KEYS = 256;

export class Supervisor implements Owner {
  readonly #options: SupervisorOptions;
  readonly #listening: Listening;
  readonly #engines: Engines;
  readonly #files: FilesHost;
  readonly #mesh: MeshHost;
  #snapshot: Snapshot;
  #challenges = NO_CHALLENGES;

  private constructor(options: SupervisorOptions, snapshot: Snapshot) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#engines = new Engines(options, this);
    this.#files = new FilesHost({ owners: this.#engines.memory.owners, log: options.log });
    this.#mesh = new MeshHost({
      registrations: options.registrations,
      engine: (number) => this.#engines.alive(number),
      tellAll: (order) => this.#engines.tell(order),
      log: options.log,
      memory: this.#engines.memory,
    });
    this.#listening = new Listening(options.bind, {
      listen: (bound) => this.#engines.tell({ op: "listen", bound }),
      unlisten: ({ fd }) => this.#engines.unlisten(fd),
    });
  }

  /** Binds everything, starts every engine, then serves. Throws GateError, and leaves nothing open then. */
  static async start(options: SupervisorOptions, desired: Desired): Promise<Supervisor> {
    const supervisor = new Supervisor(options, desired.snapshot);
    try {
      const change = await supervisor.#listening.prepare(desired.wanted);
      supervisor.#snapshot = withOwn(desired.snapshot, supervisor.#listening.addresses(change));
      await supervisor.#engines.start();
      await supervisor.#listening.commit(change);
      supervisor.#engines.lookAfter();
      return supervisor;
    } catch (thrown) {
      await supervisor.stop();
      throw asGateError(thrown);
    }
  }

  /**
   * Makes it hold, by difference; `holds` is called when nothing can fail any more. Throws GateError where an address
   * cannot be bound: then nothing changed.
   */
  async apply({ snapshot, wanted }: Desired, holds: () => void): Promise<void> {
    const change = await this.#listening.prepare(wanted);
    holds();
    this.#snapshot = withOwn(snapshot, this.#listening.addresses(change));
    const handed = this.#listening.handed(change);
    this.#engines.forEach((engine) => this.#tellSnapshot(engine, handed));
    this.#files.want(snapshot.routes.some(({ http }) => http?.files !== undefined));
    await this.#listening.commit(change);
  }

  /** These rules hold from now on, and what listens stays as it is. */
  refresh(snapshot: Snapshot): void {
    this.#snapshot = withOwn(snapshot, this.#listening.addresses());
    this.#engines.forEach((engine) => this.#tellSnapshot(engine, []));
  }

  /** Authorities are answered these from now on; resolves when every engine that answers has them. */
  async challenge(challenges: PendingChallenges): Promise<void> {
    this.#challenges = challenges;
    this.#engines.tell({ op: "challenges", challenges });
    await this.#engines.count(); // orders are obeyed one after the other
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
    return this.#engines.broken;
  }

  get engines(): readonly EngineState[] {
    return this.#engines.states;
  }

  get limits(): ConnectionLimits {
    return this.#engines.limits;
  }

  get health(): EndpointHealth {
    return this.#engines.health;
  }

  /** Names that these patterns cover changed their place: engines forget what they knew of them. */
  forget(patterns: readonly string[]): void {
    this.#engines.tell({ op: "changed", patterns });
  }

  /** `most` of the live connections, the newest first, and how many there are: of the engines that answer. */
  list(most: number): Promise<{ total: number; connections: readonly LiveConnection[] }> {
    return this.#engines.list(most);
  }

  /** The connections that others are reached through, of the engines that answer. */
  nodes(): Promise<readonly NodeStatus[]> {
    return this.#engines.nodes();
  }

  /** Resolves when the engines that answer told all that they counted so far: with who is there. */
  count(): Promise<Population> {
    return this.#engines.count();
  }

  /** Nothing new is taken from here on. */
  async stopListening(): Promise<void> {
    await this.#listening.close();
  }

  /** Resolves when nobody is left, at the latest after `ms`. */
  drain(ms: number): Promise<void> {
    return this.#engines.drain(ms);
  }

  /** Listeners close, connections end with a reset, the engines end. */
  async stop(): Promise<void> {
    await Promise.all([this.#listening.close(), this.#engines.stop()]);
    await this.#files.stop();
  }

  heard(engine: EngineHost, report: Report): void {
    if (report.op === "files" && engine.alive) this.#files.serve(engine.number, report.fd, report.site);
    if (engine.alive && this.#mesh.heard(engine, report)) return;
    if (report.op !== "question") return this.#options.hear(report, engine.number);
    this.#options.scope.spawn("answer", this.#answer(engine, report.id, report.question));
  }

  serves(engine: EngineHost): void {
    this.#tellSnapshot(engine, []);
    engine.tell({ op: "challenges", challenges: this.#challenges });
    this.#mesh.serves(engine);
    for (const bound of this.#listening.bound) engine.tell({ op: "listen", bound });
  }

  died(engine: number): void {
    this.#mesh.died(engine);
  }

  async #answer(engine: EngineHost, id: number, question: Question): Promise<void> {
    let answer: Answer;
    try {
      answer = { id, ...await this.#told(question) };
    } catch (thrown) {
      const { failure, side, limit } = asGateError(thrown);
      answer = { id, failed: { failure, side, message: causeChain(thrown), limit } };
    }
    engine.tell({ op: "answer", answer });
  }

  async #told(question: Question) {
    const { login, token, keyring, print } = this.#options;
    switch (question.ask) {
      case "resolve":
        return { destination: await this.#resolve(question.target) };
      case "login":
        return { login: await login(question.login) };
      case "token":
        return { token: await token(question.given) };
      case "signed":
        return { signed: await this.#isSigned(question.check) };
      case "introduction":
        return { introduction: await keyring().introduce(question.host) };
      case "signature":
        return { signature: await keyring().sign(question.signing) };
      case "print":
        return { printed: await print(question.reading) };
    }
  }

  /** What takes an engine too long. */
  async #isSigned({ key, hash, signature, data }: SignatureCheck): Promise<boolean> {
    const { isSignedBy } = await import("./engine/openssl_keys.ts"); // with the first one
    return isSignedBy(key, hash, signature, data);
  }

  /** A reload may end who is asked: then who holds now is asked. */
  async #resolve(target: Target): Promise<Destination | undefined> {
    const { discovery, scope: { stopping } } = this.#options;
    for (;;) {
      const asked = discovery();
      try {
        return await asked.resolve(target, stopping);
      } catch (thrown) {
        if (stopping.aborted || asked === discovery()) throw thrown;
      }
    }
  }

  #tellSnapshot(engine: EngineHost, handed: readonly Bound[]): void {
    const { routes, policy, certificates, ssh } = this.#snapshot, keys = ssh?.logins.keys ?? [];
    for (let at = 0; at < Math.max(routes.length, policy.length); at += RULES) {
      const end = at + RULES;
      engine.tell({ op: "rules", routes: routes.slice(at, end), policy: policy.slice(at, end) });
    }
    for (let at = 0; at < certificates.length; at += CERTIFICATES) {
      engine.tell({ op: "certificates", certificates: certificates.slice(at, at + CERTIFICATES) });
    }
    for (let at = 0; at < keys.length; at += KEYS) {
      engine.tell({ op: "keys", keys: keys.slice(at, at + KEYS) });
    }
    const withoutKeys = ssh && { ...ssh, logins: { ...ssh.logins, keys: [] } };
    const rest = { ...this.#snapshot, routes: [], policy: [], certificates: [], ssh: withoutKeys };
    engine.tell({ op: "snapshot", snapshot: rest, handed });
  }
}

/** The addresses of this gate itself are denied by policy: also those that were given for port 0. */
function withOwn(snapshot: Snapshot, addresses: Snapshot["own"]): Snapshot {
  return { ...snapshot, own: [...snapshot.own, ...addresses] };
}
