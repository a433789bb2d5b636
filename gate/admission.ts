/** Every stream that comes in: counted against the limits, and made a connection that is served. */
import { Branches } from "./branches.ts";
import { Census } from "./census.ts";
import { Challenges } from "./challenges.ts";
import { Connection } from "./connection.ts";
import type { AskForFiles } from "./connector.ts";
import type { Target } from "./address.ts";
import type { Peer, Protocol, Protocols } from "./contracts.ts";
import type { Stream } from "./streams.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Accepting } from "./engine/acceptor.ts";
import type { AskHealth } from "./engine/checks.ts";
import { AF_UNIX } from "./engine/layout.ts";
import { closeOwned } from "./engine/owned.ts";
import { nextTurn, now } from "./engine/loop.ts";
import { OwnDials } from "./engine/own_dials.ts";
import { PairMarks } from "./engine/pair_marks.ts";
import { Socket } from "./engine/socket.ts";
import { UpstreamPool } from "./engine/upstream_pool.ts";
import { type Entrance, Entry } from "./entry.ts";
import { Errands } from "./errands.ts";
import { GateError } from "./errors.ts";
import { EngineGate } from "./gate.ts";
import { type EndpointChanged, Health } from "./health.ts";
import type { Journal } from "./journal.ts";
import { KeyLogins } from "./key_logins.ts";
import { ConnectionLimits, type Place } from "./limits.ts";
import type { Bound, Question, Start } from "./orders.ts";
import { type Crossing, Crossings, type CrossingsParts } from "./mesh/crossings.ts";
import type { TellOfVisits } from "./mesh/far_visits.ts";
import { LiveRoutes } from "./mesh/live_routes.ts";
import { Mesh, type MeshParts } from "./mesh/mesh.ts";
import { Questions } from "./questions.ts";
import { RateLimits } from "./rate_limits.ts";
import type { ProxyHeader } from "./route_dialer.ts";
import { Roster } from "./roster.ts";
import { Ruling } from "./ruling.ts";
import type { Snapshot } from "./snapshot.ts";
import { Throttle, type Throttled } from "./throttle.ts";
import { TlsContexts } from "./tls_contexts.ts";
import { UpstreamTls } from "./upstream_tls.ts";

/** What the thread's entry file brings: what it speaks. */
export interface Registry {
  readonly protocols: Protocols;
  readonly proxyProtocol: Protocol;
  readonly proxyHeader: ProxyHeader;
  /** What health checks ask by HTTP. */
  readonly askHealth: AskHealth;
}

/** What is told to main, besides the journal. */
export interface Main {
  readonly ask: (id: number, question: Question) => void;
  readonly endpointChanged: EndpointChanged;
  readonly askForFiles: AskForFiles;
  readonly register: MeshParts["tell"];
  readonly cross: CrossingsParts["tell"];
  readonly tellOfVisits: TellOfVisits;
  readonly throttled: (source: Throttled) => void;
}

const NONE: readonly string[] = [];
/** More connections than an engine serves before it is started again. */
const IDS_OF_A_LIFE = 1e9;

export class Admission {
  readonly questions: Questions;
  readonly census: Census;
  readonly roster: Roster;
  readonly tlsContexts: TlsContexts;
  readonly challenges = new Challenges();
  readonly mesh: Mesh;
  readonly #crossings: Crossings;
  readonly #registry: Registry;
  readonly #start: Start;
  readonly #ownDials: OwnDials;
  readonly #ruling: Ruling;
  readonly #branches: Branches;
  readonly #dispatcher: Dispatcher;
  readonly #entries = new Map<number, Entry>();
  readonly #pool = new UpstreamPool();
  readonly #prepared = new Set<string>();
  #nextId: number;

  constructor(registry: Registry, start: Start, journal: Journal, main: Main) {
    const { memory, ledger, seed, engine, engines, restarts } = start;
    this.#registry = registry;
    this.#start = start;
    this.#nextId = restarts * IDS_OF_A_LIFE * engines + engine + 1;
    this.#ownDials = new OwnDials(memory.ownDials, engine);
    this.questions = new Questions(main.ask);
    this.census = new Census(new ConnectionLimits(memory.limits, ledger.limits, seed));
    this.roster = new Roster(this.census, journal);
    this.tlsContexts = new TlsContexts(start.ticketKeys);
    this.#crossings = new Crossings({
      engine,
      marks: new PairMarks(memory.pairs),
      tell: main.cross,
      idleTimeout: () => this.roster.limits.idleTimeout,
    });
    this.mesh = new Mesh({
      ids: { first: this.#nextId, step: engines },
      tell: main.register,
      crossings: this.#crossings,
      decider: () => this.#ruling.decider,
    });
    this.roster.visits.follow(this.mesh, main.tellOfVisits);
    this.#ruling = new Ruling({
      ...registry,
      mesh: this.mesh,
      live: new LiveRoutes(this.mesh.names),
      roster: this.roster,
      questions: this.questions,
      health: new Health(memory.health, ledger.health),
      ownDials: this.#ownDials,
      endpointChanged: main.endpointChanged,
      askForFiles: main.askForFiles,
      checks: engine === 0,
      tlsContexts: this.tlsContexts,
      pool: this.#pool,
      upstreamTls: new UpstreamTls(registry.protocols),
    }, start.snapshot);
    this.#branches = new Branches({
      census: this.census,
      ruling: this.#ruling,
      mesh: this.mesh,
      enter: (stream, peer, entrance, place) => this.#enter(stream, peer, entrance, place),
    });
    this.#dispatcher = new Dispatcher({
      ...registry,
      census: this.census,
      roster: this.roster,
      ruling: this.#ruling,
      journal,
      gate: this.#gateFor(journal, main.throttled),
    });
  }

  /** Loads what protocols that end here need before their first connection, each once. */
  async prepare(pause?: () => Promise<void>): Promise<void> {
    const { protocols } = this.#registry;
    if (!this.#ruling.snapshot.ssh) return; // all of it ends elsewhere
    const spoken = Object.values(this.#ruling.snapshot.listeners).flatMap(({ protocols }) => protocols);
    for (const name of new Set(spoken)) {
      if (!protocols[name]?.prepare || this.#prepared.has(name)) continue;
      this.#prepared.add(name);
      await protocols[name].prepare(pause);
    }
  }

  /** From now on this configuration holds; what is under way goes on, but for what lost its right. */
  apply(snapshot: Snapshot): void {
    this.#ruling.replace(snapshot);
    this.#branches.judge();
    for (const entry of this.#entries.values()) entry.follow();
    void this.prepare(nextTurn);
  }

  /** Who takes the connections of a listening socket. */
  listen(bound: Bound): Accepting {
    const entry = new Entry(bound, this.#registry, this.#ruling);
    this.#entries.set(bound.fd, entry);
    return {
      accepted: (fd, from, family) => this.#accepted(entry, fd, from, family),
      paused: () => this.census.hit("descriptors"),
    };
  }

  unlisten(fd: number): void {
    this.#entries.delete(fd);
  }

  /** Another engine wants to reach what is offered here. */
  cross(crossing: Crossing): void {
    this.#crossings.serve(crossing, (...asked) => this.mesh.open(...asked));
  }

  /** Tells when nobody is left. */
  drain(drained: () => void): void {
    this.#ruling.stopChecks();
    this.#pool.close();
    this.roster.drain(drained);
  }

  /** Ends every connection: clients see a reset. */
  abortAll(): void {
    this.#ruling.stopChecks();
    this.roster.abortAll();
    this.#pool.close();
    for (const protocol of Object.values(this.#registry.protocols)) protocol.close?.();
  }

  #gateFor(journal: Journal, throttled: Main["throttled"]): EngineGate {
    return new EngineGate({
      protocols: this.#registry.protocols,
      connector: () => this.#ruling.connector,
      terminations: () => this.#ruling.terminations,
      decider: () => this.#ruling.decider,
      keyLogins: new KeyLogins({
        ruling: () => this.#ruling,
        questions: this.questions,
        throttle: new Throttle(() => now, "logins"),
        failed: ({ listener, record }) => journal.authFailed(listener, record.protocol),
        throttled,
        hit: (limit) => this.census.hit(limit),
      }),
      challenges: this.challenges,
      questions: this.questions,
      roster: this.roster,
      mesh: this.mesh,
      pool: this.#pool,
      census: this.census,
      errands: new Errands({
        pool: this.#pool,
        mesh: this.mesh,
        resolve: (target) => this.questions.resolve(target),
        own: () => this.#ruling.own,
      }),
      rates: new RateLimits(this.#start.memory.rates, this.#start.seed),
      authFailed: ({ listener, record }) => journal.authFailed(listener, record.protocol),
      admit: (stream, peer, entrance) => this.#admit(stream, peer, entrance),
      branches: this.#branches,
      names: () => this.#ruling.snapshot,
      entries: () => this.#entries.values(),
    });
  }

  #accepted(entry: Entry, fd: number, from: Target, family: number): void {
    const place = this.census.claim(entry);
    if (place === undefined) return closeOwned(fd);
    let socket: Socket;
    try {
      socket = new Socket(fd, "client", family);
    } catch (thrown) {
      closeOwned(fd);
      this.census.release(place, entry);
      throw thrown;
    }
    const depth = this.#ownDials.depth(from.host, from.port);
    const peer = family === AF_UNIX
      ? { address: "unix", layers: NONE }
      : { address: from.host, port: from.port, layers: NONE };
    this.#begin(socket, peer, { entry, number: entry.rules.number, depth }, place);
  }

  /** A stream that a layer unwrapped. */
  #admit(stream: Stream, peer: Peer, entrance: Entrance): void {
    const place = this.census.claim(undefined);
    if (place !== undefined) return this.#begin(stream, peer, entrance, place);
    stream.abort(new GateError("exhausted", "gate", "Cannot take a stream: there are too many connections"));
  }

  #begin(stream: Stream, peer: Peer, entrance: Entrance, place: Place): void {
    this.#dispatcher.serve(this.#enter(stream, peer, entrance, place));
  }

  #enter(stream: Stream, peer: Peer, entrance: Entrance, place: Place): Connection {
    const connection = new Connection(this.#nextId, stream, entrance, peer, place, this.roster);
    this.#nextId += this.#start.engines;
    this.census.enter(connection);
    return connection;
  }
}
