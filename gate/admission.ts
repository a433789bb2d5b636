/** Every stream that comes in: counted against the limits, told apart, served, recorded. */
import { isTrusted } from "./asking.ts";
import { Connection, type Entrance, type Keeper } from "./connection.ts";
import { Connector, type ProxyHeader } from "./connector.ts";
import type { Limits, Peer, Protocol, Protocols, Stream, Target } from "./contracts.ts";
import { Decider } from "./decide.ts";
import type { Accepting } from "./engine/acceptor.ts";
import { Checks } from "./engine/checks.ts";
import { now, promiseResolved } from "./engine/loop.ts";
import { OwnDials } from "./engine/own_dials.ts";
import { isOwnIp } from "./engine/own_ip.ts";
import { Socket } from "./engine/socket.ts";
import { libc } from "./engine/sys.ts";
import { Entry } from "./entry.ts";
import { GateError } from "./errors.ts";
import { EngineGate } from "./gate.ts";
import { Health } from "./health.ts";
import type { Journal } from "./journal.ts";
import { ConnectionLimits, type LimitName } from "./limits.ts";
import type { Bound, Question, Start } from "./orders.ts";
import { OwnAddresses } from "./own_address.ts";
import { FirstBytes } from "./engine/first_bytes.ts";
import { Questions } from "./questions.ts";
import type { Sniffed, Unknown } from "./sniff.ts";
import type { Snapshot } from "./snapshot.ts";

/** What the thread's entry file brings: what it speaks. */
export interface Registry {
  readonly protocols: Protocols;
  readonly proxyProtocol: Protocol;
  readonly proxyHeader: ProxyHeader;
}

export class Admission implements Keeper {
  readonly questions: Questions;
  limits!: Limits;
  #snapshot!: Snapshot;
  #decider!: Decider;
  #connector!: Connector;
  #checks: Checks | undefined;
  readonly #registry: Registry;
  readonly #start: Start;
  readonly #journal: Journal;
  readonly #counted: ConnectionLimits;
  readonly #ownDials: OwnDials;
  readonly #gate: EngineGate;
  readonly #live = new Map<number, Connection>();
  /** Not told apart yet and in a reserved slot, the oldest first: they give way when the slots are full. */
  readonly #waiting = new Set<Connection>();
  readonly #entries = new Map<number, Entry>();
  #hits = new Map<string, number>();
  #nextId: number;

  constructor(
    registry: Registry,
    start: Start,
    journal: Journal,
    ask: (id: number, question: Question) => void,
  ) {
    this.#registry = registry;
    this.#start = start;
    this.#journal = journal;
    this.#nextId = start.engine + 1;
    this.#counted = new ConnectionLimits(start.limits, start.seed);
    this.#ownDials = new OwnDials(start.ownDials);
    this.questions = new Questions(ask);
    this.#gate = new EngineGate({
      connector: () => this.#connector,
      questions: this.questions,
      admit: (stream, peer, entrance) => this.#admit(stream, peer, entrance),
    });
    this.apply(start.snapshot, start.health);
  }

  /** From now on this configuration holds; what is under way goes on. */
  apply(snapshot: Snapshot, shared: SharedArrayBuffer): void {
    const health = new Health(shared);
    this.#snapshot = snapshot;
    this.limits = snapshot.limits;
    this.#counted.configure(snapshot.limits);
    this.#decider = new Decider(snapshot, isOwnIp);
    this.#connector = new Connector({
      protocols: this.#registry.protocols,
      decider: this.#decider,
      own: new OwnAddresses(snapshot, isOwnIp),
      questions: this.questions,
      health,
      ownDials: this.#ownDials,
      proxyHeader: this.#registry.proxyHeader,
    }, snapshot.routes);
    this.#checks?.stop();
    if (this.#start.engine === 0) {
      this.#checks = new Checks(snapshot.routes, health, (target) => this.questions.resolve(target));
    }
    for (const entry of this.#entries.values()) this.#configure(entry);
  }

  /** Who takes the connections of a listening socket. */
  listen(bound: Bound): Accepting {
    const entry = new Entry(bound, this.#registry);
    this.#entries.set(bound.fd, entry);
    this.#configure(entry);
    return {
      accepted: (fd, from, family) => this.#accepted(entry, fd, from, family),
      paused: () => this.#hit("descriptors"),
    };
  }

  unlisten(fd: number): void {
    this.#entries.delete(fd);
  }

  /** Ends every connection: clients see a reset. */
  abortAll(): void {
    this.#checks?.stop();
    const reason = new GateError("closed", "gate", "Cannot go on: the gate stops");
    for (const connection of [...this.#live.values()]) connection.abort(reason);
  }

  /** Which limits bit how often since the last call. */
  takeHits(): readonly (readonly [string, number])[] {
    if (this.#hits.size === 0) return [];
    const hits = [...this.#hits];
    this.#hits = new Map();
    return hits;
  }

  ended(connection: Connection, failure: GateError | undefined): void {
    this.#live.delete(connection.id);
    this.#waiting.delete(connection);
    if (connection.place >= 0) this.#counted.release(connection.place);
    for (const key of connection.sourceKeys) this.#counted.leaveSource(key);
    const { rules, number } = connection.entrance.entry;
    if (connection.parent === undefined && rules.connections !== undefined) {
      this.#counted.leaveListener(number);
    }
    this.#journal.write({
      id: connection.id,
      parent: connection.parent,
      listener: connection.listener,
      peer: connection.peer,
      record: connection.record,
      began: connection.beganAt,
      duration: now - connection.began,
      failure,
    }, this.#start.log.connections);
  }

  #configure(entry: Entry): void {
    const rules = this.#snapshot.listeners[entry.bound.listener];
    if (rules) entry.configure(rules, isTrusted(rules, entry.bound.address));
  }

  #accepted(entry: Entry, fd: number, from: Target, family: number): void {
    const limited = this.#limited(entry);
    const place = limited ? undefined : this.#claim();
    if (place === undefined) {
      this.#hit(limited ?? "connections");
      if (!limited && entry.rules.connections !== undefined) this.#counted.leaveListener(entry.number);
      libc.close(fd);
      return;
    }
    const depth = this.#ownDials.depth(from.host, from.port);
    const peer = from.port > 0
      ? { address: from.host, port: from.port, layers: NONE }
      : { address: "unix", layers: NONE };
    const socket = new Socket(fd, "client", family);
    this.#begin(socket, peer, { entry, rules: entry.rules, trusted: entry.trusted, depth }, place);
  }

  /** A stream that a layer unwrapped. */
  #admit(stream: Stream, peer: Peer, entrance: Entrance): void {
    const place = this.#claim();
    if (place === undefined) {
      this.#hit("connections");
      stream.abort(new GateError("exhausted", "gate", "Cannot take a stream: too many connections"));
      return;
    }
    this.#begin(stream, peer, entrance, place);
  }

  #begin(stream: Stream, peer: Peer, entrance: Entrance, place: number): void {
    const id = this.#nextId;
    this.#nextId += this.#start.engines;
    const connection = new Connection(id, stream, entrance, peer, this);
    connection.place = place;
    this.#live.set(id, connection);
    if (this.#counted.isWaiting(place)) this.#waiting.add(connection);
    const { entry, outer } = entrance;
    if (outer || entry.only !== undefined || entry.hasProxies) promiseResolved();
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
      this.#enterSource(connection, entry);
      this.#refuseBarred(connection);
    } catch (thrown) {
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
    if ("protocol" in sniffed) return this.#speak(connection, sniffed.protocol);
    connection.record.protocol = "unknown";
    return this.#fallBack(connection, sniffed.unknown);
  }

  /** Never rejects: whatever happens ends in the connection's record. */
  async #speak(connection: Connection, protocol: string): Promise<void> {
    try {
      connection.record.protocol = protocol;
      this.#assign(connection, protocol);
      connection.deadline(this.limits.handshakeTimeout);
      await this.#registry.protocols[protocol].serve!(connection, this.#gate);
      if (!connection.isRelaying) connection.served(undefined);
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  async #readProxyHeader(connection: Connection, entry: Entry): Promise<void> {
    connection.deadline(entry.rules.sniffTimeout);
    const source = await this.#registry.proxyProtocol.preface!(connection.stream);
    connection.peer = { ...connection.peer, ...source };
    connection.proxied = true;
  }

  async #fallBack(connection: Connection, unknown: Unknown): Promise<void> {
    connection.deadline(0);
    try {
      const { fallback } = connection.entrance.rules;
      if (!fallback || unknown === "preface") throw cannotTell(unknown, connection.stream);
      using upstream = await this.#connector.fallback(fallback, connection);
      this.#gate.relay(connection, upstream);
    } catch (thrown) {
      connection.served(thrown);
    }
  }

  /** The source counts as itself; who speaks the PROXY protocol for others is bounded by `connections` alone. */
  #enterSource(connection: Connection, entry: Entry): void {
    const { address } = connection.peer;
    if (address === "unix" || (entry.isProxy(address) && !connection.proxied)) return;
    this.#countSource(connection, 0, this.limits.perSource, "perSource");
    const { perSource } = entry.rules;
    if (perSource !== undefined) {
      this.#countSource(connection, entry.number + 1, perSource, "listenerPerSource");
    }
  }

  #countSource(connection: Connection, scope: number, most: number, name: LimitName): void {
    const key = this.#counted.sourceKey(connection.peer.address, scope);
    if (!this.#counted.enterSource(key, most)) {
      this.#hit(name);
      throw new GateError("exhausted", "client", "Cannot accept a connection: too many of this source");
    }
    connection.sourceKeys.push(key);
  }

  #refuseBarred(connection: Connection): void {
    const { address } = connection.peer;
    const place = this.#decider.policy.barred(connection.listener, address === "unix" ? undefined : address);
    if (place) {
      throw new GateError("denied", "gate", `Cannot accept a connection: its source is denied by ${place}`);
    }
  }

  #assign(connection: Connection, protocol: string): void {
    if (!this.#waiting.delete(connection)) return;
    const place = this.#counted.assign(connection.place, protocol);
    if (place !== undefined) {
      connection.place = place;
      return;
    }
    this.#hit("connections");
    throw new GateError(
      "exhausted",
      "gate",
      "Cannot accept a connection: the free slots are for other protocols",
    );
  }

  #limited(entry: Entry): LimitName | undefined {
    const most = entry.rules.connections;
    return most === undefined || this.#counted.enterListener(entry.number, most) ? undefined : "listener";
  }

  #claim(): number | undefined {
    const place = this.#counted.claim();
    if (place !== undefined) return place;
    const [oldest] = this.#waiting;
    if (!oldest) return undefined;
    this.#hit("reserve");
    const reason = new GateError("exhausted", "gate", "Cannot wait for first bytes: the slot is needed");
    oldest.abort(reason);
    oldest.end(reason);
    return this.#counted.claim();
  }

  #hit(name: LimitName): void {
    this.#hits.set(name, (this.#hits.get(name) ?? 0) + 1);
  }
}

const NONE: readonly string[] = [];

function cannotTell(unknown: Unknown, stream: Stream): GateError {
  if (unknown === "preface") {
    return new GateError(
      "denied",
      "client",
      "Cannot accept a PROXY header: its source is not in proxyProtocol",
    );
  }
  if (unknown === "unknown") {
    return new GateError("malformed", "client", "Cannot tell the protocol: no listed one begins like this");
  }
  if (stream instanceof Socket && stream.hungUp) {
    return new GateError(
      "closed",
      "client",
      "Cannot tell the protocol: the client ended before it was clear",
    );
  }
  return new GateError(
    "timeout",
    "client",
    `Cannot tell the protocol: ${unknown} when the sniff time was over`,
  );
}
