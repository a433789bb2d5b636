/** The gate's verbs for protocols, on an engine thread. */
import type { NamedRequest } from "./asked.ts";
import type { Branches } from "./branches.ts";
import type { Census } from "./census.ts";
import type { Challenges } from "./challenges.ts";
import type { Connection } from "./connection.ts";
import type { Connector } from "./connector.ts";
import type { Target } from "./address.ts";
import type {
  Conn,
  Gate,
  Listening,
  Logins,
  Offer,
  Peer,
  Protocols,
  Relaying,
  Termination,
} from "./contracts.ts";
import type {
  Credentials,
  PasswordRule,
  Requested,
  RequestRecord,
  Routed,
  TokenAnswer,
  TokenRule,
} from "./requests.ts";
import type { Stream } from "./streams.ts";
import { doorFor } from "./doors.ts";
import { copyBytes } from "./engine/copy.ts";
import { JointRelay } from "./engine/joint_relay.ts";
import { after } from "./engine/loop.ts";
import { MOST_DEPTH } from "./engine/own_dials.ts";
import type { Inspect } from "./engine/relay.ts";
import { Socket } from "./engine/socket.ts";
import { SpliceRelay } from "./engine/splice_relay.ts";
import type { Entrance, Entry } from "./entry.ts";
import type { Errands } from "./errands.ts";
import { asGateError, atLimit, GateError, type LimitName } from "./errors.ts";
import { nodeStatus } from "./node_status.ts";
import type { NodeStatus, Printed, Reading } from "./operations.ts";
import type { Mesh } from "./mesh/mesh.ts";
import type { Login } from "./orders.ts";
import type { Decider } from "./decide.ts";
import { askingOf } from "./asking.ts";
import { endOfProof, expired } from "./proven.ts";
import type { Questions } from "./questions.ts";
import { type RateLimits, scopeOf } from "./rate_limits.ts";
import { digestOf } from "./right.ts";
import { PROXIED } from "./request_counts.ts";
import type { Roster } from "./roster.ts";
import type { RouteRule, Snapshot } from "./snapshot.ts";
import type { Terminations } from "./termination.ts";
import type { UpstreamPool } from "./engine/upstream_pool.ts";

/** RFC 9110 15.2.2. */
const SWITCHING = 101;
/** When one side of those that end together has ended, the other's silence, ms. */
const FAREWELL = 10_000;

/** What the gate needs of the thread it runs on. */
export interface GateParts {
  readonly protocols: Protocols;
  readonly connector: () => Connector;
  readonly terminations: () => Terminations;
  readonly decider: () => Decider;
  readonly keyLogins: Logins;
  readonly challenges: Challenges;
  readonly questions: Questions;
  readonly roster: Pick<Roster, "requesting" | "requested" | "visits">;
  readonly mesh: Pick<Mesh, "offer" | "offering" | "noName">;
  readonly pool: UpstreamPool;
  readonly rates: RateLimits;
  readonly errands: Errands;
  readonly census: Pick<Census, "hit" | "toldApart">;
  /** Somebody gave a wrong password. */
  readonly authFailed: (conn: Conn) => void;
  /** Counts, sniffs and serves a stream that came in. */
  readonly admit: (stream: Stream, peer: Peer, entrance: Entrance) => void;
  readonly branches: Branches;
  readonly entries: () => Iterable<Entry>;
  readonly names: () => Pick<Snapshot, "domain" | "ownName">;
}

export class EngineGate implements Gate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  termination(target: Target | undefined, conn: Conn): Termination | undefined {
    const { challenges, terminations } = this.#parts;
    return challenges.termination(conn as Connection) ?? terminations().of(target, conn as Connection);
  }

  passes(conn: Conn): boolean {
    const { entrance: { entry } } = conn as Connection;
    return this.#parts.decider().router.match(askingOf(conn, "nothing", entry.trusted)) !== undefined;
  }

  get keyLogins(): Logins {
    return this.#parts.keyLogins;
  }

  get challenged(): boolean {
    return this.#parts.challenges.byPath;
  }

  challenge(path: string, conn: Conn): string | undefined {
    return this.#parts.challenges.text(path, conn as Connection);
  }

  get domain(): string {
    return this.#parts.names().domain;
  }

  doorFor(protocol: string, usual: number, conn: Conn): number | undefined {
    return doorFor(protocol, usual, conn as Connection, this.#parts.entries());
  }

  get ownName(): string | undefined {
    return this.#parts.names().ownName;
  }

  connect(to: Target | Routed | undefined, conn: Conn, reuse = false): Stream | Promise<Stream> {
    const connector = this.#parts.connector();
    if (to === undefined || !("http" in to)) return connector.connect(to, conn as Connection);
    if (isNamed(to)) return connector.toNamed(to, conn as Connection, reuse);
    return connector.toRouted(to as RouteRule, conn as Connection, reuse);
  }

  again(routed: Routed, conn: Conn, attempt: number, until: number): Promise<Stream> {
    return this.#parts.connector().again(routed as RouteRule, conn as Connection, attempt, until);
  }

  handles(conn: Conn): boolean {
    return this.#parts.connector().handles(conn.listener);
  }

  route(request: Requested, conn: Conn): Routed {
    const connection = conn as Connection;
    const connector = this.#parts.connector();
    connection.route = connection.record.endpoint = ""; // the last request's
    connection.right = connection.proven = undefined;
    connection.client = request.source;
    const route = connection.routed = this.#routeOf(connector, request, connection);
    connection.route = route.place;
    if (isRouted(route)) {
      this.#parts.roster.requesting(connection, route.label);
      return route;
    }
    throw new GateError("no-route", "gate", `Cannot route a request: ${route.place} passes bytes on`);
  }

  /** One that the sources of its route refuse is that route's all the same: in its numbers, and in its line. */
  #routeOf(connector: Connector, request: Requested, connection: Connection): RouteRule {
    try {
      return connector.route(request, connection);
    } catch (thrown) {
      const route = asGateError(thrown).failure === "denied"
        ? connector.refusing(request, connection)
        : undefined;
      if (route && isRouted(route)) {
        connection.route = route.place;
        this.#parts.roster.requesting(connection, route.label);
      }
      throw thrown;
    }
  }

  proxied(target: Target, conn: Conn, source?: string): Routed {
    const connection = conn as Connection;
    connection.route = connection.record.endpoint = "";
    connection.right = undefined;
    connection.forgetMessage(); // its right tells all of it
    this.#parts.roster.requesting(connection, PROXIED);
    const named = this.#parts.connector().asked.judge(target, connection, source);
    connection.route = named.place;
    return named;
  }

  keep(stream: Stream, conn: Conn, own: boolean): void {
    const connection = conn as Connection, { upstream } = connection;
    if (upstream?.stream !== stream) return stream[Symbol.dispose]();
    connection.upstream = undefined;
    if (!own && !upstream.personal) this.#parts.pool.keep(upstream);
    else if (upstream.rest()) {
      connection.ownUpstream?.close(); // one that this message could not use
      connection.ownUpstream = upstream;
      connection.ownRight = connection.right;
    }
  }

  reused(conn: Conn): boolean {
    return (conn as Connection).upstream?.reused ?? false;
  }

  rate(routed: Routed, source: string): number {
    const { rateLimit } = routed.http;
    return rateLimit ? this.#parts.rates.take(source, scopeOf(routed as RouteRule), rateLimit) : 0;
  }

  reach(target: Target, ms: number): Promise<Stream> {
    return this.#parts.errands.reach(target, ms);
  }

  rest(stream: Stream, reason?: GateError): void {
    this.#parts.errands.rest(stream, reason);
  }

  hit(limit: LimitName): void {
    this.#parts.census.hit(limit);
  }

  requested(conn: Conn, record: RequestRecord): void {
    const connection = conn as Connection;
    if (record.status !== SWITCHING) { // a tunnel goes on
      connection.leaveEndpoint();
      connection.forgetMessage();
    }
    this.#parts.roster.requested(connection, record);
  }

  async handOver(conn: Conn, protocol: string): Promise<void> {
    const connection = conn as Connection, { record } = connection;
    connection.leaveMessages();
    this.#parts.census.toldApart(connection, protocol);
    record.protocol = protocol;
    await this.#parts.protocols[protocol].serve!(connection, this);
  }

  /** `inspect` sees what the client sends first. */
  relay(
    conn: Conn,
    upstream: Stream,
    { endsTogether, inspect }: Relaying & { inspect?: Inspect } = {},
  ): void {
    const { stream, limits: { idleTimeout: open } } = conn, connection = conn as Connection;
    const patience = { open, halfOpen: endsTogether ? FAREWELL : Infinity };
    const raw = stream instanceof Socket && upstream instanceof Socket;
    connection.relaying(
      raw
        ? new SpliceRelay(stream, upstream, patience, connection, inspect)
        : new JointRelay(stream, upstream, patience, connection, inspect),
    );
    const end = endOfProof(connection);
    if (end < Infinity) {
      connection.atEnd(after(Math.max(0, end - Date.now()), () => connection.abort(expired())));
    }
  }

  enter(inner: Stream, outer: Conn, facts: Partial<Peer>): void {
    const connection = outer as Connection;
    const peer = { ...outer.peer, ...facts, layers: [...outer.peer.layers, outer.record.protocol] };
    if (peer.layers.length > MOST_DEPTH) {
      inner.abort(
        new GateError("denied", "client", `Cannot unwrap a stream: more than ${MOST_DEPTH} layers deep`),
      );
      return;
    }
    this.#parts.admit(inner, peer, { ...connection.entrance, outer: connection });
  }

  noName(conn: Conn, asked: Pick<Offer, "name" | "port">, reason: GateError): void {
    this.#parts.mesh.noName(conn, asked, reason);
  }

  offer(conn: Conn, offer: Offer, told: (refused?: GateError) => void): Disposable {
    return this.#parts.mesh.offer(conn as Connection, offer, told);
  }

  branch(stream: Stream, outer: Conn): Conn {
    return this.#parts.branches.channel(stream, outer as Connection);
  }

  listen(address: Target, outer: Conn, taken: (conn: Conn) => void): Listening {
    return this.#parts.branches.listen(address, outer as Connection, taken);
  }

  node(conn: Conn): NodeStatus {
    const connection = conn as Connection;
    return nodeStatus(connection, this.#parts.mesh.offering(connection));
  }

  visits(conn: Conn, hear: Parameters<Gate["visits"]>[1]): Disposable {
    return this.#parts.roster.visits.watch(conn as Connection, hear);
  }

  tell(reading: Reading, conn: Conn): Promise<Printed> {
    return this.#parts.questions.print(reading, conn.peer.address);
  }

  copy(...given: Parameters<Gate["copy"]>): Promise<number> {
    return copyBytes(...given);
  }

  async login(conn: Conn, user: string, password: string, source = conn.peer.address): Promise<boolean> {
    const connection = conn as Connection;
    const digest = digestOf(connection.rules.users, user);
    const verified = await this.#verify({ ...whereOf(conn), source, user, password });
    // A reload may have taken the user away while main verified what holds no more.
    const right = verified && digestOf(connection.rules.users, user) === digest;
    if (right) {
      conn.peer = { ...conn.peer, user };
      conn.record.user = user;
      connection.userDigest = digest;
    } else this.#parts.authFailed(conn);
    return right;
  }

  async checkPassword(
    { users }: PasswordRule,
    { user, password }: Credentials,
    source: string,
    conn: Conn,
  ): Promise<boolean> {
    const right = await this.#verify({ ...whereOf(conn), source, user, password, users });
    if (!right) this.#parts.authFailed(conn);
    return right;
  }

  async checkToken(rule: TokenRule, token: string, source: string, conn: Conn): Promise<TokenAnswer> {
    const answer = await this.#parts.questions.token({ ...whereOf(conn), source, rule, token });
    if (answer === "throttled") throw mustWait(`${source} gave too many forged tokens`);
    if (answer.verdict === "wrong") this.#parts.authFailed(conn);
    return answer;
  }

  async #verify(login: Login): Promise<boolean> {
    const answer = await this.#parts.questions.login(login);
    if (answer === "throttled") throw mustWait(`${login.source} gave too many wrong passwords`);
    if (answer !== "busy") return answer === "right";
    throw atLimit(
      "passwords",
      new GateError("exhausted", "gate", "Cannot log in: too many passwords wait to be verified"),
    );
  }
}

const whereOf = ({ listener, record }: Conn) => ({ listener, protocol: record.protocol });

const isNamed = (to: Routed): to is NamedRequest => "right" in to;
const isRouted = (route: RouteRule): route is RouteRule & Routed => route.http !== undefined;

const mustWait = (why: string): GateError =>
  atLimit("passwords", new GateError("exhausted", "client", `Cannot log in: ${why}, and has to wait`));
