/** Who comes for what connections offer, told to who watches: the sessions of those connections. */
import type { Connection } from "./connection.ts";
import { now } from "./engine/loop.ts";
import type { GateError } from "./errors.ts";
import { type FarVisits, FarWatch, type TellOfVisits } from "./mesh/far_visits.ts";
import type { Mesh } from "./mesh/mesh.ts";
import type { Visit } from "./operations.ts";
import type { RequestRecord } from "./requests.ts";

/** `leftOut`: how many came before it that nobody had the time to tell of. */
type Hear = (visit: Visit, leftOut?: number) => void;

export class Visits {
  readonly #watching = new Map<Connection, Set<Hear>>();
  #mesh!: Pick<Mesh, "whose" | "connectionOf">;
  #tell!: TellOfVisits;
  /** Who is watched from other engines. */
  far!: FarWatch;

  /** From now on the mesh knows who offers what somebody reached, and main hears of visits that other engines watch. */
  follow(mesh: Pick<Mesh, "whose" | "connectionOf">, tell: TellOfVisits): void {
    this.#mesh = mesh;
    this.#tell = tell;
    this.far = new FarWatch(tell);
  }

  /** `hear` is told of who comes for what this one offers, asks there and goes, until it is disposed. */
  watch(connection: Connection, hear: Hear): Disposable {
    const watching = this.#watching.get(connection) ?? new Set();
    this.#watching.set(connection, watching.add(hear));
    if (watching.size === 1) this.#tell({ op: "watching", connection: connection.id, on: true });
    return {
      [Symbol.dispose]: () => {
        if (!watching.delete(hear) || watching.size > 0) return;
        this.#watching.delete(connection);
        this.#tell({ op: "watching", connection: connection.id, on: false });
      },
    };
  }

  /** They came by other engines. */
  came(visits: FarVisits): void {
    for (const [connection, watching] of this.#watching) {
      const told = visits.get(connection.id);
      told?.visits.forEach((visit, at) => tell(watching, visit, at === 0 ? told.leftOut : 0));
    }
  }

  /** A connection reached its endpoint; requests are told when they are over. */
  reached(visitor: Connection): void {
    const watching = this.#watchingOf(visitor);
    if (watching && !visitor.requesting) tell(watching, visitOf(visitor));
  }

  /** A request is over, which took so many ms. */
  requested(visitor: Connection, request: RequestRecord, duration: number): void {
    const watching = this.#watchingOf(visitor);
    if (!watching) return;
    const { method, path, status, up, down, client, failure } = request, visit = visitOf(visitor);
    const outcome = status === 0 ? failure?.failure ?? "ok" : String(status);
    const from = client ?? visit.from;
    tell(watching, { ...visit, from, what: `${method} ${path}`, outcome, duration, bytes: up + down });
  }

  /** A connection that made no requests is over. */
  ended(visitor: Connection, failure: GateError | undefined): void {
    const watching = visitor.requests === 0 ? this.#watchingOf(visitor) : undefined;
    if (!watching) return;
    const { record: { up, down }, began } = visitor, outcome = failure?.failure ?? "ok";
    tell(watching, { ...visitOf(visitor), outcome, duration: now - began, bytes: up + down });
  }

  #watchingOf(visitor: Connection): Iterable<Hear> | undefined {
    if (this.#watching.size === 0 && !this.far.any) return undefined;
    const row = this.#mesh.whose(visitor), connection = row && this.#mesh.connectionOf(row);
    return connection ? this.#watching.get(connection) : row && this.far.of(row);
  }
}

function tell(watching: Iterable<Hear>, visit: Visit, leftOut = 0): void {
  for (const hear of watching) hear(visit, leftOut);
}

function visitOf({ peer, record: { protocol, endpoint, target } }: Connection): Visit {
  const [name] = (endpoint || target).split(" ", 1);
  return { at: Date.now(), name, from: peer.address, what: protocol };
}
