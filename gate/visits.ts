/** Who comes for what connections offer, told to who watches: the sessions of those connections. */
import type { Connection } from "./connection.ts";
import { now } from "./engine/loop.ts";
import type { GateError } from "./errors.ts";
import type { Visit } from "./operations.ts";
import type { RequestRecord } from "./requests.ts";

type Hear = (visit: Visit) => void;

export class Visits {
  readonly #watching = new Map<Connection, Set<Hear>>();
  /** Who offers what a connection reached. */
  #whose: (visitor: Connection) => Connection | undefined = () => undefined;

  /** From now on this tells who offers what somebody reached, where that is a connection of this engine. */
  follow(whose: (visitor: Connection) => Connection | undefined): void {
    this.#whose = whose;
  }

  /** `hear` is told of who comes for what this one offers, asks there and goes, until it is disposed. */
  watch(connection: Connection, hear: Hear): Disposable {
    const watching = this.#watching.get(connection) ?? new Set();
    this.#watching.set(connection, watching.add(hear));
    return {
      [Symbol.dispose]: () => {
        watching.delete(hear);
        if (watching.size === 0) this.#watching.delete(connection);
      },
    };
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
    if (this.#watching.size === 0) return undefined;
    const whose = this.#whose(visitor);
    return whose && this.#watching.get(whose);
  }
}

function tell(watching: Iterable<Hear>, visit: Visit): void {
  for (const hear of watching) hear(visit);
}

function visitOf({ peer, record: { protocol, endpoint, target } }: Connection): Visit {
  const [name] = (endpoint || target).split(" ", 1);
  return { at: Date.now(), name, from: peer.address, what: protocol };
}
