/** One connection from its accept to its record. It is counted in the limits until then. */
import { formatTarget, type Target } from "./address.ts";
import type { Asking } from "./asking.ts";
import type { Conn, Draft, Limits, Peer } from "./contracts.ts";
import type { Proven } from "./requests.ts";
import type { Stream } from "./streams.ts";
import type { Decider } from "./decide.ts";
import { asGateError, atLimit, GateError } from "./errors.ts";
import type { Expiring } from "./engine/deadlines.ts";
import { Layered } from "./engine/layered.ts";
import { Linger } from "./engine/linger.ts";
import { deadlines, now, promiseResolved } from "./engine/loop.ts";
import type { PooledUpstream } from "./engine/upstream_pool.ts";
import type { Relay, RelayOwner } from "./engine/relay.ts";
import { localAddress } from "./engine/sockaddr.ts";
import { Socket } from "./engine/socket.ts";
import type { Entrance } from "./entry.ts";
import type { Health } from "./health.ts";
import type { Place } from "./limits.ts";
import type { RouteRequests } from "./request_counts.ts";
import type { ConnectionWords } from "./request_log.ts";
import type { Right } from "./right.ts";
import type { Roster } from "./roster.ts";
import type { ClientCertificateRule, ListenerRules, RouteEndpoint, RouteRule } from "./snapshot.ts";
import type { Milestones } from "./stages.ts";

/** A stream that tells when its peer is gone while nobody reads. */
type Telling = Stream & { onGone?: ((reason: GateError) => void) | undefined };

/** Not a closure of the constructor: with one, V8 14 has most of what is dead outlive its scavenges. */
function goneOf(connection: Connection): (reason: GateError) => void {
  return (reason) => connection.abort(reason);
}

/** What can be given up while it is under way. */
export interface Cancellable {
  cancel(reason: GateError): void;
}

export class Connection implements Conn, RelayOwner, Expiring, Milestones {
  readonly record: Draft = { protocol: "", target: "", endpoint: "", user: "", up: 0, down: 0 };
  /** In the loop's time, and since the epoch, ms. */
  readonly began = now;
  readonly beganAt = Date.now();
  /** Where the census has it. */
  seat = -1;
  peer: Peer;
  /** Where policy permitted it. */
  right: Right | undefined;
  /** Of the password its user gave. */
  userDigest: string | undefined;
  /** Whose decision it was that its TLS ends here. */
  endedBy: Decider | undefined;
  /** Whose certificates were believed then, where clients were asked for one. */
  clients: ClientCertificateRule | undefined;
  /** The place of the route it took, or `fallback`. */
  route = "";
  /** The route that its message takes, whom trusted proxies tell of, and what was proven of that one. */
  routed: RouteRule | undefined;
  client: string | undefined;
  /** Where its message takes the route of a name that is registered: what policy has to go on not to refuse. */
  live: { readonly asking: Asking; readonly route: RouteRule } | undefined;
  proven: Proven | undefined;
  /** What its last dial reached. */
  dialed: Target | undefined;
  toldAt = 0;
  askedAt = 0;
  resolvedAt = 0;
  stoodAt = 0;
  /** Bytes that were told while it lived. */
  readonly counted = { up: 0, down: 0 };
  /** Under which it is counted in the limits of its source. */
  readonly sourceKeys: number[] = [];
  /** What is under way for it: a question or a dial; and around those a handshake with an upstream. */
  underWay: Cancellable | undefined;
  wrapping: Cancellable | undefined;
  /** What a protocol answers when other rules hold. */
  recheck: (() => GateError | undefined) | undefined;
  /** What a protocol wants to hear of the gate's stopping. */
  onStopping: (() => void) | undefined;
  /** What a protocol wants to hear of its being cut. */
  onAbort: ((reason: GateError) => void) | undefined;
  /** The pooled upstream that serves it now, and the one that serves nobody else. */
  upstream: PooledUpstream | undefined;
  ownUpstream: PooledUpstream | undefined;
  /** By what right that one was dialed, where its client named the target. */
  ownRight: Right | undefined;
  moving: { readonly up: number; readonly down: number } | undefined;
  /** Where its message has been, if its route sends it again. */
  tried: Set<RouteEndpoint> | undefined;
  /** Requests that are over, and among whose the one counts that is not. */
  requests = 0;
  requesting: RouteRequests | undefined;
  /** What their lines have in common. */
  words: ConnectionWords | undefined;
  /** Its peer's address came in a PROXY header. */
  proxied = false;
  #endpoint: RouteEndpoint | undefined;
  #health: Health | undefined;
  #undo: (() => void)[] | undefined;
  /** Streams were unwrapped from it; and those of them that are not over. */
  isLayer = false;
  #inner = 0;
  #served = false;
  /** Its descriptor outlives it for a moment, and counts meanwhile. */
  #lingers = false;
  #roster: Roster;
  #slot = deadlines.claim(this);
  #relay: Relay | undefined;
  #controller: AbortController | undefined;
  #over = false;
  /** Why it was aborted: what fails after that fails of it. */
  #aborted: GateError | undefined;
  /** While the first bytes are waited for, the deadline makes the look late instead of ending it. */
  #patient = false;
  #stream: Telling;
  /** What it came in as. */
  readonly #outermost: Telling;
  /** Nothing is under way: it waits for another message. */
  #idle = false;
  /** Called in place of an abort when the deadline passes. */
  #late: (() => void) | undefined;

  constructor(
    readonly id: number,
    stream: Telling,
    readonly entrance: Entrance,
    peer: Peer,
    /** Its slot in the limits. */
    public place: Place,
    roster: Roster,
  ) {
    this.peer = peer;
    this.#roster = roster;
    if (entrance.outer) {
      entrance.outer.isLayer ||= entrance.branch === undefined;
      entrance.outer.#inner++;
    }
    this.#stream = this.#outermost = stream;
    stream.onGone = goneOf(this);
  }

  get stream(): Telling {
    return this.#stream;
  }

  set stream(inner: Telling) {
    this.#stream.onGone = undefined;
    this.#stream = inner;
    inner.onGone = goneOf(this);
  }

  /** Whether its stream is one that was inside of what came in. */
  get isUnwrapped(): boolean {
    return this.#stream !== this.#outermost;
  }

  get listener(): string {
    return this.entrance.entry.bound.listener;
  }

  /** Of its listener now, whatever they were when it came in. */
  get rules(): ListenerRules {
    return this.entrance.entry.rules;
  }

  get limits(): Limits {
    return this.#roster.limits;
  }

  get parent(): number | undefined {
    return this.entrance.outer?.id;
  }

  get protocols(): readonly string[] {
    return this.rules.protocols;
  }

  get asksUser(): boolean {
    return this.rules.asksUser && this.entrance.branch !== "channel";
  }

  /** Whether it came from this machine alone; what was inside of a layer is not trusted for where that came in. */
  get trusted(): boolean {
    const { entry, outer, branch } = this.entrance;
    return entry.trusted && (outer === undefined || branch === "channel" && outer.trusted);
  }

  believes(address: string): boolean {
    return this.entrance.entry.believes(address);
  }

  /** Nothing is to be done for it any more. */
  get over(): boolean {
    return this.#over || this.#aborted !== undefined;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#over) {
      this.#controller.abort(new GateError("closed", "client", "Cannot go on: the connection is over"));
    }
    return this.#controller.signal;
  }

  get endpoint(): RouteEndpoint | undefined {
    return this.#endpoint;
  }

  get stopping(): boolean {
    return this.#roster.draining;
  }

  deadline(ms: number, late?: () => void): void {
    this.#patient = this.#idle = false;
    this.#late = late;
    if (this.#slot >= 0) deadlines.set(this.#slot, ms > 0 ? now + ms : 0);
  }

  /** After `ms` a look that still waits for first bytes is told that it is late. */
  patience(ms: number): void {
    this.deadline(ms);
    this.#patient = true;
  }

  idle(ms: number): void {
    this.patience(this.stopping ? 1 : ms);
    this.#idle = true;
  }

  /** The gate stops: who waits for another message waits no longer. */
  drain(): void {
    if (this.#idle) this.expired();
    else this.onStopping?.();
  }

  expired(): void {
    const { stream } = this;
    if (this.#patient && (stream instanceof Socket || stream instanceof Layered)) return stream.late();
    if (this.#late) return this.#late();
    const reason = new GateError("timeout", "client", "Cannot go on: the time for the handshake is over");
    this.abort(atLimit("handshakeTimeout", reason));
  }

  /** The client sees a reset; whatever is under way for it ends. */
  abort(reason: GateError): void {
    if (this.#over) return;
    if (this.#relay) return this.#relay.abort(reason);
    this.#aborted ??= reason;
    this.stream.abort(reason);
    this.underWay?.cancel(reason);
    this.wrapping?.cancel(reason);
    this.onAbort?.(reason);
    if (this.#controller) {
      promiseResolved();
      this.#controller.abort(reason);
    }
  }

  /** A dial for it reached this address. */
  stood(address: Target): void {
    this.dialed = address;
    this.#reached(formatTarget(address));
  }

  /** It is with who offers this name. */
  connected(name: Target): void {
    this.dialed = undefined;
    this.#reached(`${formatTarget(name)} mesh`);
  }

  #reached(endpoint: string): void {
    this.stoodAt = now;
    this.record.endpoint = endpoint;
    this.#roster.dialed(this, now - (this.resolvedAt || this.askedAt));
  }

  /** Counts as load of an endpoint until its end, or until leaveEndpoint. */
  enterEndpoint(endpoint: RouteEndpoint, health: Health): void {
    this.#endpoint = endpoint;
    this.#health = health;
    health.entered(endpoint);
  }

  leaveEndpoint(): void {
    if (this.#endpoint) this.#health!.left(this.#endpoint);
    this.#endpoint = undefined;
  }

  /** What holds for one message alone. */
  forgetMessage(): void {
    this.routed =
      this.client =
      this.proven =
      this.live =
        undefined;
  }

  /** No request is under way any more. */
  leaveRequests(): void {
    this.requesting?.left();
    this.requesting = undefined;
  }

  /** Nothing of its messages holds for what comes behind them. */
  leaveMessages(): void {
    this.forgetMessage();
    this.ownUpstream?.close();
    this.ownUpstream =
      this.ownRight =
      this.right =
      this.onAbort =
        undefined;
    this.route = this.record.target = this.record.endpoint = "";
  }

  /** Runs when it is over. */
  atEnd(act: () => void): void {
    if (this.#over) act();
    else (this.#undo ??= []).push(act);
  }

  /** Both streams are the relay's now. */
  relaying(relay: Relay): void {
    this.upstream?.leavePool();
    this.upstream = this.onAbort = this.moving = undefined;
    this.#releaseDeadline(); // the relay has one of its own
    this.#relay = relay;
    relay.start();
  }

  get isRelaying(): boolean {
    return this.#relay !== undefined;
  }

  /** Where it came in, as the client saw it; a unix socket has none. */
  get localAddress(): Target | undefined {
    const outermost = this.#outermost;
    return outermost instanceof Socket ? localAddress(outermost.fd) : this.entrance.outer?.localAddress;
  }

  get localPort(): number | undefined {
    return this.entrance.entry.port;
  }

  /** Bytes so far. */
  get moved(): { up: number; down: number } {
    const { record } = this;
    const more = this.#relay ?? this.moving;
    if (!more) return record;
    return { up: record.up + more.up, down: record.down + more.down };
  }

  relayed(up: number, down: number, failure: GateError | undefined): void {
    this.record.up += up;
    this.record.down += down;
    this.end(failure);
  }

  /** Its serving is over, by returning or by `thrown`; a relay ends it later. */
  served(thrown?: unknown): void {
    if (thrown === undefined && this.#relay) return;
    const failure = thrown === undefined ? undefined : this.#aborted ?? asGateError(thrown);
    const { stream } = this;
    this.#served = true;
    this.deadline(0);
    if (this.#inner > 0 && !failure) return; // the last stream inside ends it
    const lingers = stream instanceof Socket && stream.fd >= 0 && !stream.given && !stream.ended;
    if (lingers && failure?.failure !== "reset") {
      this.#lingers = true;
      new Linger(stream, () => {
        this.#lingers = false;
        if (this.#over) this.#roster.left(this);
      });
    } else stream[Symbol.dispose]();
    this.end(failure);
  }

  #releaseDeadline(): void {
    if (this.#slot >= 0) deadlines.release(this.#slot);
    this.#slot = -1;
  }

  end(failure: GateError | undefined): void {
    if (this.#over) return;
    this.#settle();
    this.record.up += this.moving?.up ?? 0;
    this.record.down += this.moving?.down ?? 0;
    this.#roster.ended(this, failure);
    this.#leave();
  }

  /** Ends it without a record: a limit refused it before it was heard, and the limit's bursts are told instead. */
  dismiss(): void {
    this.stream[Symbol.dispose](); // nothing was answered: there is nothing to linger for
    this.#settle();
    this.#leave();
  }

  #settle(): void {
    this.#over = true;
    this.#releaseDeadline();
    this.stream.onGone = undefined;
    this.leaveEndpoint();
    this.leaveRequests();
    this.upstream?.leavePool();
    this.ownUpstream?.close();
    this.upstream =
      this.ownUpstream =
      this.onStopping =
      this.onAbort =
      this.recheck =
        undefined;
    if (this.#undo) { for (const act of this.#undo) act(); }
  }

  /** A layer may close its socket later than this is over: until then it counts. */
  #leave(): void {
    if (!this.#lingers) this.#uncount();
    const { outer } = this.entrance;
    if (outer && --outer.#inner === 0 && outer.#served) outer.end(outer.#aborted);
  }

  #uncount(): void {
    const socket = this.#outermost;
    if (socket instanceof Socket && socket.fd >= 0) socket.onClosed = () => this.#roster.left(this);
    else this.#roster.left(this);
  }
}
