/**
 * Connections of this engine that others are reached through: what they offer, and who comes for it. Only where somebody
 * watches is anything told of that.
 */
import type { Connection } from "./connection.ts";
import type { Offer } from "./contracts.ts";
import type { RequestRecord } from "./requests.ts";
import { now } from "./engine/loop.ts";
import { inSlices } from "./engine/slices.ts";
import type { GateError } from "./errors.ts";
import { peerText } from "./log_line.ts";
import type { NodeStatus, Visit } from "./operations.ts";

/** Nodes told at once. */
const PART = 200;

type Hear = (visit: Visit) => void;

/** What one connection offers, and who is told what comes of it. */
interface Node {
  readonly offers: Set<Offer>;
  readonly watching: Set<Hear>;
}

export class Nodes {
  readonly #nodes = new Map<Connection, Node>();
  /** By a name that is watched: who offers it. */
  readonly #watched = new Map<string, Node>();

  /** It is reached by that from now on, until this is disposed. */
  offers(connection: Connection, offer: Offer): Disposable {
    const node = this.#of(connection);
    node.offers.add(offer);
    if (node.watching.size > 0) this.#watched.set(offer.name, node);
    return {
      [Symbol.dispose]: () => {
        node.offers.delete(offer);
        this.#unwatch(node, offer.name);
        this.#forget(connection, node);
      },
    };
  }

  /** The connection as who operates the gate sees it. */
  status(connection: Connection): NodeStatus {
    const { id, peer, listener, record, beganAt } = connection, { up, down } = connection.moved;
    const offers = [...this.#nodes.get(connection)?.offers ?? []];
    const sum = (of: (offer: Offer) => number) => offers.reduce((sum, offer) => sum + of(offer), 0);
    return {
      id,
      names: offers.map(({ name, port }) => `${name}:${port}`),
      identity: peer.identity?.name ?? "",
      proof: peer.identity?.proof ?? "",
      peer: peerText(peer),
      listener,
      protocol: record.protocol,
      since: beganAt,
      roundTrip: offers[0]?.roundTrip,
      streams: sum(({ streams }) => streams),
      served: sum(({ served }) => served),
      up,
      down,
    };
  }

  /** Tells those that offer something in parts; the last one says that no more come. */
  list(tell: (part: readonly NodeStatus[], more: boolean) => void): void {
    let part: NodeStatus[] = [];
    inSlices([...this.#nodes], ([connection, { offers }]) => {
      if (offers.size > 0) part.push(this.status(connection));
      if (part.length < PART) return;
      tell(part, true);
      part = [];
    }, () => tell(part, false));
  }

  /** `hear` is told of who comes, asks there and goes, until this is disposed. */
  watch(connection: Connection, hear: Hear): Disposable {
    const node = this.#of(connection);
    node.watching.add(hear);
    for (const { name } of node.offers) this.#watched.set(name, node);
    return {
      [Symbol.dispose]: () => {
        node.watching.delete(hear);
        if (node.watching.size === 0) { for (const { name } of node.offers) this.#unwatch(node, name); }
        this.#forget(connection, node);
      },
    };
  }

  // Who comes: told by the roster.

  /** A connection reached its endpoint; requests are told when they are over. */
  reached(connection: Connection): void {
    const node = this.#node(connection);
    if (node && !connection.requesting) this.#tell(node, visitOf(connection));
  }

  /** A request is over, which took so many ms. */
  requested(connection: Connection, request: RequestRecord, duration: number): void {
    const node = this.#node(connection);
    if (!node) return;
    const { method, path, status, up, down, client, failure } = request, visit = visitOf(connection);
    const outcome = status === 0 ? failure?.failure ?? "ok" : String(status);
    const from = client ?? visit.from;
    this.#tell(node, { ...visit, from, what: `${method} ${path}`, outcome, duration, bytes: up + down });
  }

  ended(connection: Connection, failure: GateError | undefined): void {
    const node = connection.requests === 0 ? this.#node(connection) : undefined;
    if (!node) return;
    const { record: { up, down }, began } = connection;
    const outcome = failure?.failure ?? "ok";
    this.#tell(node, { ...visitOf(connection), outcome, duration: now - began, bytes: up + down });
  }

  /** Where that leads to somebody who watches. */
  #node({ record: { endpoint } }: Connection): Node | undefined {
    if (this.#watched.size === 0) return undefined;
    return this.#watched.get(endpoint.slice(0, endpoint.lastIndexOf(":")));
  }

  #tell({ watching }: Node, visit: Visit): void {
    for (const hear of watching) hear(visit);
  }

  #of(connection: Connection): Node {
    const there = this.#nodes.get(connection);
    if (there) return there;
    const node = { offers: new Set<Offer>(), watching: new Set<Hear>() };
    this.#nodes.set(connection, node);
    return node;
  }

  #unwatch(node: Node, name: string): void {
    const others = [...node.offers].some((offer) => offer.name === name) && node.watching.size > 0;
    if (!others && this.#watched.get(name) === node) this.#watched.delete(name);
  }

  #forget(connection: Connection, { offers, watching }: Node): void {
    if (offers.size === 0 && watching.size === 0) this.#nodes.delete(connection);
  }
}

function visitOf({ peer, record: { protocol, endpoint } }: Connection): Visit {
  return { at: Date.now(), name: endpoint, from: peer.address, what: protocol };
}
