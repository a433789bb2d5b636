/** Every stream that comes in: counted against the limits, told apart, served, recorded. */
import { isTrusted } from "./asking.ts";
import { Census } from "./census.ts";
import { Connection, type Entrance, type Keeper } from "./connection.ts";
import { Connector, type ProxyHeader } from "./connector.ts";
import type { Limits, Peer, Protocol, Protocols, Stream, Target } from "./contracts.ts";
import { Decider } from "./decide.ts";
import type { Accepting } from "./engine/acceptor.ts";
import { Checks } from "./engine/checks.ts";
import { AF_UNIX } from "./engine/layout.ts";
import { now, promiseResolved } from "./engine/loop.ts";
import { OwnDials } from "./engine/own_dials.ts";
import { inSlices } from "./engine/slices.ts";
import { isOwnIp } from "./engine/own_ip.ts";
import { Socket } from "./engine/socket.ts";
import { libc } from "./engine/sys.ts";
import { Entry } from "./entry.ts";
import { GateError, type LimitName } from "./errors.ts";
import { EngineGate } from "./gate.ts";
import { type EndpointChanged, Health } from "./health.ts";
import type { Journal } from "./journal.ts";
import { ConnectionLimits, type Place } from "./limits.ts";
import { liveConnection } from "./live.ts";
import type { LiveConnection } from "./operations.ts";
import type { Bound, Question, Start } from "./orders.ts";
import { OwnAddresses } from "./own_address.ts";
import { FirstBytes } from "./engine/first_bytes.ts";
import { Questions } from "./questions.ts";
import { cannotTell, type Sniffed, type Unknown, withoutPreface } from "./sniff.ts";
import { digestOf, lostRight } from "./right.ts";
import type { RouteRule, Snapshot } from "./snapshot.ts";

/** What the thread's entry file brings: what it speaks. */
export interface Registry {
  readonly protocols: Protocols;
  readonly proxyProtocol: Protocol;
  readonly proxyHeader: ProxyHeader;
}

/** What is told to main, besides the journal. */
export interface Main {
  readonly ask: (id: number, question: Question) => void;
  readonly endpointChanged: EndpointChanged;
}

export class Admission implements Keeper {
  readonly questions: Questions;
  limits!: Limits;
  #snapshot!: Snapshot;
  #decider!: Decider;
  #connector!: Connector;
  #checks: Checks | undefined;
  /** What is checked, to see whether a new snapshot checks anything else. */
  #checked = "";
  readonly #health: Health;
  readonly #registry: Registry;
  readonly #start: Start;
  readonly #journal: Journal;
  readonly #census: Census;
  readonly #ownDials: OwnDials;
  readonly #gate: EngineGate;
  readonly #endpointChanged: EndpointChanged;
  readonly #entries = new Map<number, Entry>();
  #nextId: number;
  #drained: (() => void) | undefined;

  constructor(
    registry: Registry,
    start: Start,
    journal: Journal,
    main: Main,
  ) {
    this.#registry = registry;
    this.#start = start;
    this.#journal = journal;
    this.#nextId = start.restarts * IDS_OF_A_LIFE * start.engines + start.engine + 1;
    const { memory, ledger, seed } = start;
    this.#census = new Census(new ConnectionLimits(memory.limits, ledger.limits, seed));
    this.#health = new Health(memory.health, ledger.health);
    this.#ownDials = new OwnDials(memory.ownDials, start.engine);
    this.questions = new Questions(main.ask);
    this.#endpointChanged = main.endpointChanged;
    this.#gate = new EngineGate({
      connector: () => this.#connector,
      questions: this.questions,
      digest: (listener, user) => digestOf(this.#snapshot.listeners[listener]?.users, user),
      authFailed: ({ listener, record }) => journal.authFailed(listener, record.protocol),
      admit: (stream, peer, entrance) => this.#admit(stream, peer, entrance),
    });
    this.#configureAll(start.snapshot);
  }

  /** From now on this configuration holds; what is under way goes on, but for what lost its right. */
  apply(snapshot: Snapshot): void {
    this.#configureAll(snapshot);
    const decider = this.#decider;
    inSlices(this.#census.connections, (connection) => {
      const lost = connection.over ? undefined : lostRight(connection, snapshot, decider);
      if (lost) connection.abort(lost);
    }, () => {});
  }

  #configureAll(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.limits = snapshot.limits;
    this.#journal.configure(snapshot.log);
    this.#census.configure(snapshot);
    this.#decider = new Decider(snapshot, isOwnIp);
    this.#connector = new Connector({
      protocols: this.#registry.protocols,
      decider: this.#decider,
      deciding: () => this.#decider,
      own: new OwnAddresses(snapshot, isOwnIp),
      questions: this.questions,
      health: this.#health,
      ownDials: this.#ownDials,
      proxyHeader: this.#registry.proxyHeader,
      endpointChanged: this.#endpointChanged,
    }, snapshot.routes);
    if (this.#start.engine === 0) this.#check(snapshot.routes);
    for (const entry of this.#entries.values()) this.#configure(entry);
  }

  /** One engine checks for all. Checks that stay the same go on. */
  #check(routes: readonly RouteRule[]): void {
    const checked = JSON.stringify(routes.filter(({ check }) => check).map(({ check, to }) => [check, to]));
    if (checked === this.#checked) return;
    this.#checked = checked;
    this.#checks?.stop();
    this.#checks = new Checks(
      routes,
      this.#health,
      (target) => this.questions.resolve(target),
      this.#endpointChanged,
    );
  }

  /** Who takes the connections of a listening socket. */
  listen(bound: Bound): Accepting {
    const entry = new Entry(bound, this.#registry);
    this.#entries.set(bound.fd, entry);
    this.#configure(entry);
    return {
      accepted: (fd, from, family) => this.#accepted(entry, fd, from, family),
      paused: () => this.#census.hit("descriptors"),
    };
  }

  unlisten(fd: number): void {
    this.#entries.delete(fd);
  }

  /** Tells `most` of the live connections, the newest first, in parts; the last one says that no more come. */
  list(most: number, tell: (part: readonly LiveConnection[], total: number, more: boolean) => void): void {
    const { connections } = this.#census;
    const chosen = connections.slice(Math.max(0, connections.length - most)).reverse();
    let part: LiveConnection[] = [];
    inSlices(chosen, (connection) => {
      if (!connection.over) part.push(liveConnection(connection));
      if (part.length < PART) return;
      tell(part, connections.length, true);
      part = [];
    }, () => tell(part, connections.length, false));
  }

  /** Journals the bytes of live connections that were not told yet. */
  count(done: () => void): void {
    inSlices(this.#census.connections, (connection) => {
      const { counted, moved: { up, down } } = connection;
      if (connection.over || (up === counted.up && down === counted.down)) return;
      this.#journal.moved(connection.listener, up - counted.up, down - counted.down);
      counted.up = up;
      counted.down = down;
    }, done);
  }

  /** Tells when nobody is left. */
  drain(drained: () => void): void {
    this.#checks?.stop();
    if (this.#census.size === 0) return drained();
    this.#drained = drained;
  }

  /** Ends every connection: clients see a reset. */
  abortAll(): void {
    this.#checks?.stop();
    const reason = new GateError("closed", "gate", "Cannot go on: the gate stops");
    for (const connection of this.#census.connections) connection.abort(reason);
  }

  /** Which limits bit how often since the last call. */
  takeHits(): readonly (readonly [LimitName, number])[] {
    return this.#census.takeHits();
  }

  left(connection: Connection): void {
    this.#census.leave(connection);
    if (this.#drained && this.#census.size === 0) this.#drained();
  }

  dialed(ms: number): void {
    this.#journal.dialed(ms);
  }

  ended(connection: Connection, failure: GateError | undefined): void {
    if (failure?.limit) this.#census.hit(failure.limit);
    this.#journal.write({
      id: connection.id,
      parent: connection.parent,
      listener: connection.listener,
      peer: connection.peer,
      record: connection.record,
      began: connection.beganAt,
      duration: now - connection.began,
      failure,
      route: connection.route || undefined,
      stages: connection.stages,
      counted: connection.counted,
    });
  }

  #configure(entry: Entry): void {
    const rules = this.#snapshot.listeners[entry.bound.listener];
    if (rules) entry.configure(rules, isTrusted(rules, entry.bound.address)); // else an order to close it follows
  }

  #accepted(entry: Entry, fd: number, from: Target, family: number): void {
    const place = this.#census.claim(entry);
    if (place === undefined) return void libc.close(fd);
    let socket: Socket;
    try {
      socket = new Socket(fd, "client", family);
    } catch (thrown) {
      libc.close(fd);
      this.#census.release(place, entry);
      throw thrown;
    }
    const depth = this.#ownDials.depth(from.host, from.port);
    const peer = family === AF_UNIX
      ? { address: "unix", layers: NONE }
      : { address: from.host, port: from.port, layers: NONE };
    this.#begin(socket, peer, { entry, rules: entry.rules, trusted: entry.trusted, depth }, place);
  }

  /** A stream that a layer unwrapped. */
  #admit(stream: Stream, peer: Peer, entrance: Entrance): void {
    const place = this.#census.claim(undefined);
    if (place !== undefined) return this.#begin(stream, peer, entrance, place);
    stream.abort(new GateError("exhausted", "gate", "Cannot take a stream: there are too many connections"));
  }

  #begin(stream: Stream, peer: Peer, entrance: Entrance, place: Place): void {
    const connection = new Connection(this.#nextId, stream, entrance, peer, place, this);
    this.#nextId += this.#start.engines;
    this.#census.enter(connection);
    const { entry, outer } = entrance;
    if (outer || entry.hasProxies) promiseResolved();
    if (!outer && entry.isProxy(peer.address)) void this.#servePrefaced(connection);
    else if (outer) void this.#serveUnknown(connection);
    else this.#serve(connection);
  }

  /** Who a trusted source says it is comes first. */
  async #servePrefaced(connection: Connection): Promise<void> {
    try {
      await this.#readProxyHeader(connection, connection.entrance.entry);
    } catch (thrown) {
      return connection.served(thrown);
    }
    this.#serve(connection);
  }

  /** The plain way of a raw connection: no promise before its protocol is known. */
  #serve(connection: Connection): void {
    const { entry } = connection.entrance;
    try {
      this.#census.enterSource(connection);
      this.#refuseBarred(connection);
    } catch (thrown) {
      connection.stream[Symbol.dispose](); // nothing was answered: there is nothing to linger for
      return connection.served(thrown);
    }
    if (entry.only !== undefined) return void this.#speak(connection, entry.only);
    connection.patience(entry.rules.sniffTimeout);
    new FirstBytes(connection.stream as Socket, entry.sniff, (sniffed) => {
      void this.#follow(connection, sniffed);
    }, (thrown) => connection.served(thrown));
  }

  /** A stream without a socket is told apart by its promises. */
  async #serveUnknown(connection: Connection): Promise<void> {
    const { entry } = connection.entrance;
    try {
      if (entry.only !== undefined) return await this.#speak(connection, entry.only);
      connection.patience(entry.rules.sniffTimeout);
      await this.#follow(connection, await connection.stream.look(entry.sniff));
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  #follow(connection: Connection, sniffed: Sniffed): Promise<void> {
    connection.toldAt = now;
    this.#journal.sniffed(now - connection.began);
    if ("protocol" in sniffed) return this.#speak(connection, sniffed.protocol);
    connection.record.protocol = "unknown";
    promiseResolved();
    return this.#fallBack(connection, sniffed.unknown);
  }

  /** Never rejects: whatever happens ends in the connection's record. */
  async #speak(connection: Connection, protocol: string): Promise<void> {
    try {
      connection.record.protocol = protocol;
      this.#census.toldApart(connection, protocol);
      connection.deadline(this.limits.handshakeTimeout);
      const serving = this.#registry.protocols[protocol].serve!(connection, this.#gate);
      if (!connection.underWay) promiseResolved(); // unless all of it waits for a dial, some of it may go on
      await serving;
      if (!connection.isRelaying) connection.served(undefined);
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  async #readProxyHeader(connection: Connection, entry: Entry): Promise<void> {
    connection.deadline(entry.rules.sniffTimeout);
    const source = await this.#registry.proxyProtocol.preface!(connection.stream);
    connection.peer = { ...connection.peer, ...source };
    connection.proxied = source.address !== undefined; // UNKNOWN and LOCAL speak for the proxy itself
  }

  async #fallBack(connection: Connection, unknown: Unknown): Promise<void> {
    connection.deadline(0);
    try {
      const { fallback } = connection.entrance.rules;
      if (!fallback || unknown === "preface") throw cannotTell(unknown, hasEnded(connection.stream));
      this.#census.toldApart(connection, connection.record.protocol);
      using upstream = await this.#connector.fallback(fallback, connection);
      this.#gate.relay(connection, upstream, withoutPreface(this.#registry.proxyProtocol));
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  #refuseBarred(connection: Connection): void {
    const { address } = connection.peer;
    const place = this.#decider.policy.barred(connection.listener, address === "unix" ? undefined : address);
    if (place) {
      throw new GateError("denied", "gate", `Cannot accept a connection: its source is denied by ${place}`);
    }
  }
}

const NONE: readonly string[] = [];
/** More connections than an engine serves before it is started again. */
const IDS_OF_A_LIFE = 1e9;
/** Live connections told at once. */
const PART = 200;

const hasEnded = (stream: Stream): boolean => stream instanceof Socket && stream.hungUp;
