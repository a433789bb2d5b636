/** The connections of this thread as a whole: listed, counted, drained, ended; each is recorded at its end. */
import type { Census } from "./census.ts";
import type { Connection } from "./connection.ts";
import type { Limits } from "./contracts.ts";
import type { RequestRecord } from "./requests.ts";
import { now } from "./engine/loop.ts";
import { inSlices } from "./engine/slices.ts";
import { GateError } from "./errors.ts";
import type { Proof } from "./identity/identity.ts";
import type { Journal } from "./journal.ts";
import { liveConnection } from "./live.ts";
import type { LiveConnection, Population } from "./operations.ts";
import { UNROUTED } from "./request_counts.ts";
import { ConnectionWords } from "./request_log.ts";
import type { Snapshot } from "./snapshot.ts";
import { stagesOf } from "./stages.ts";
import { Visits } from "./visits.ts";

/** Live connections told at once. */
const PART = 200;

export class Roster {
  /** Of now. */
  limits!: Limits;
  /** Nobody new comes: messages that are under way are their connections' last ones. */
  draining = false;
  readonly visits = new Visits();
  readonly #census: Census;
  readonly #journal: Journal;
  #drained: (() => void) | undefined;

  constructor(census: Census, journal: Journal) {
    this.#census = census;
    this.#journal = journal;
  }

  configure(snapshot: Snapshot): void {
    this.limits = snapshot.limits;
    this.#journal.configure(snapshot.log);
    this.#census.configure(snapshot);
  }

  /** The oldest first. */
  get connections(): readonly Connection[] {
    return this.#census.connections;
  }

  /** Tells `most` of the live connections, the newest first, in parts; the last one says that no more come. */
  list(most: number, tell: (part: readonly LiveConnection[], total: number, more: boolean) => void): void {
    const { connections } = this;
    const chosen = connections.slice(Math.max(0, connections.length - most)).reverse();
    let part: LiveConnection[] = [];
    inSlices(chosen, (connection) => {
      if (!connection.over) part.push(liveConnection(connection));
      if (part.length < PART) return;
      tell(part, connections.length, true);
      part = [];
    }, () => tell(part, connections.length, false));
  }

  /** Journals the bytes of live connections that were not told yet, and tells by what they have proven who they are. */
  count(done: (proven: Population["proven"]) => void): void {
    const proven: Partial<Record<Proof, number>> = {};
    inSlices(this.connections, (connection) => {
      const proof = connection.parent === undefined ? connection.peer.identity?.proof : undefined;
      if (proof && !connection.over) proven[proof] = (proven[proof] ?? 0) + 1;
      const { counted, moved: { up, down } } = connection;
      if (connection.over || (up === counted.up && down === counted.down)) return;
      this.#journal.moved(connection.listener, up - counted.up, down - counted.down);
      counted.up = up;
      counted.down = down;
    }, () => done(proven));
  }

  /** Tells when nobody is left. */
  drain(drained: () => void): void {
    this.draining = true;
    for (const connection of this.connections) connection.drain();
    if (this.#census.size === 0) return drained();
    this.#drained = drained;
  }

  /** Ends every connection: clients see a reset. */
  abortAll(): void {
    const reason = new GateError("closed", "gate", "Cannot go on: the gate stops");
    for (const connection of this.connections) connection.abort(reason);
  }

  /** A dial for a connection stood, ms after it was asked for. */
  dialed(connection: Connection, ms: number): void {
    this.#journal.dialed(ms);
    this.visits.reached(connection);
  }

  /** Called once for each connection, at its end. */
  ended(connection: Connection, failure: GateError | undefined): void {
    this.#count(failure);
    this.visits.ended(connection, failure);
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
      stages: stagesOf(connection),
      counted: connection.counted,
      requests: connection.requests,
      isLayer: connection.isLayer,
    });
  }

  /** A request of a connection begins; `route` as metrics call it. */
  requesting(connection: Connection, route: string): void {
    connection.leaveRequests();
    connection.requesting = this.#journal.requests.of(route);
    connection.requesting.begun();
  }

  /** A request of a connection is over, which may have found no route. */
  requested(connection: Connection, record: RequestRecord): void {
    const { id, parent, listener, peer } = connection;
    const duration = now - record.began, requests = connection.requesting;
    // Without a way of its own: what the connection still has is the last request's.
    const route = requests || !record.failure ? connection.route : "";
    const protocol = connection.record.protocol, endpoint = requests ? connection.record.endpoint : "";
    connection.requests++;
    this.visits.requested(connection, record, duration);
    connection.leaveRequests();
    (requests ?? this.#journal.requests.of(UNROUTED)).over(record, duration);
    this.#count(record.failure);
    if (connection.words?.peer !== peer) {
      connection.words = connection.requests > 1
        ? new ConnectionWords({ listener, protocol, peer })
        : undefined;
    }
    this.#journal.request({
      id,
      parent,
      listener,
      peer,
      protocol,
      endpoint,
      route,
      ended: Date.now(),
      duration,
      record,
      words: connection.words,
    });
  }

  /** Once, where a request and its connection end of the same. */
  #count(failure: GateError | undefined): void {
    if (!failure?.limit) return;
    this.#census.hit(failure.limit);
    failure.limit = undefined;
  }

  /** Called once for each connection, when its descriptor is given back too: it counts no more. */
  left(connection: Connection): void {
    this.#census.leave(connection);
    if (this.#drained && this.#census.size === 0) this.#drained();
  }
}
