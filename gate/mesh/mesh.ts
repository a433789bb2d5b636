/** Names of the mesh on an engine: what its connections offer, and the way to what any engine's connections offer. */
import { formatTarget, parseTarget, type Target } from "../address.ts";
import { askingOf } from "../asking.ts";
import type { Cancellable, Connection } from "../connection.ts";
import type { Conn, Offer } from "../contracts.ts";
import type { Decider } from "../decide.ts";
import { after, again, promiseResolved } from "../engine/loop.ts";
import { inSlices } from "../engine/slices.ts";
import { asGateError, atLimit, GateError, NotConnected, telling } from "../errors.ts";
import { type Failed, readFailed, type Report } from "../orders.ts";
import { nodeStatus, type Offering } from "../node_status.ts";
import type { NodeStatus, Population } from "../operations.ts";
import type { Stream } from "../streams.ts";
import { Carried, newWay, type Way } from "./carried.ts";
import type { Crossings, From } from "./crossings.ts";
import { LiveNames, type LiveRow } from "./live_names.ts";
import { compareNames } from "./name_space.ts";

/** Nodes told at once. */
const PART = 200;
/** Behind what is reached through a connection, where an endpoint is told. */
const MESH = " mesh";

export interface MeshParts {
  /** The first number of a registration of this engine, and the step to the next one. */
  readonly ids: { readonly first: number; readonly step: number };
  readonly tell: (report: Extract<Report, { op: "register" | "withdraw" | "noName" }>) => void;
  readonly crossings: Crossings;
  readonly decider: () => Decider;
}

/** Who waits for a stream, and may give up. */
export interface Waiting {
  readonly over: boolean;
  underWay: Cancellable | undefined;
}

/** What a connection of this engine offers. */
interface Offered {
  readonly id: number;
  readonly conn: Connection;
  readonly offer: Offer;
  readonly way: Way;
  /** Main's answer; undefined once it came. */
  told: ((refused?: GateError) => void) | undefined;
}

export class Mesh {
  readonly names = new LiveNames();
  readonly #parts: MeshParts;
  readonly #offered = new Map<number, Offered>();
  readonly #ofConnection = new Map<Connection, Set<Offered>>();
  #nextId: number;

  constructor(parts: MeshParts) {
    this.#parts = parts;
    this.#nextId = parts.ids.first;
  }

  /** As Gate has it. */
  offer(conn: Connection, offer: Offer, told: (refused?: GateError) => void): Disposable {
    const id = this.#nextId, { identity } = conn.peer;
    this.#nextId += this.#parts.ids.step;
    const offered: Offered = { id, conn, offer, way: newWay(), told };
    const refused = identity ? this.#forbidden(offered) : unproven(offer);
    if (refused) this.noName(conn, offer, refused);
    if (refused || conn.over) {
      again(() =>
        told(refused ?? new GateError("closed", "client", "Cannot register: its connection is over"))
      );
      return { [Symbol.dispose]: () => {} };
    }
    this.#enter(offered);
    this.#parts.tell({
      op: "register",
      registering: { id, connection: conn.id, name: offer.name, port: offer.port, identity: identity! },
    });
    return { [Symbol.dispose]: () => this.#withdraw(offered) };
  }

  /** As Gate has it. */
  noName(
    { id: connection, peer: { identity } }: Pick<Conn, "id" | "peer">,
    { name, port }: Pick<Offer, "name" | "port">,
    { message: why }: GateError,
  ): void {
    if (identity) this.#parts.tell({ op: "noName", asked: { connection, name, port, identity }, why });
  }

  /** Main has granted it, or not. */
  registered(id: number, refused: Failed | undefined): void {
    const offered = this.#offered.get(id), told = offered?.told;
    if (!offered || !told) return;
    offered.told = undefined;
    if (refused) this.#forget(offered);
    told(refused && readFailed(refused));
  }

  /** Another connection has it now: what goes through this one may come to its end. */
  lost(id: number, reason: Failed): void {
    const offered = this.#offered.get(id);
    if (!offered) return;
    this.#forget(offered);
    offered.offer.lost?.(readFailed(reason));
  }

  /** Policy may say something else now: who may not offer any more what it does, does not. */
  judgeAgain(): void {
    for (const offered of [...this.#offered.values()]) {
      const forbidden = this.#forbidden(offered);
      if (!forbidden) continue;
      this.noName(offered.conn, offered.offer, forbidden);
      this.#withdraw(offered);
      for (const carried of [...offered.way.open]) carried.cut(forbidden);
      if (offered.told) offered.told(forbidden);
      else offered.offer.lost?.(forbidden);
    }
  }

  /**
   * A stream to what is offered under that name now, within `ms`; `waiting` may give up. Rejects with GateError,
   * NotConnected where nobody offers it.
   */
  reach(target: Target, from: From, ms: number, waiting: Waiting): Promise<Stream> {
    const row = this.names.find(target);
    if (!row) return Promise.reject(notConnected(target));
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        stop();
        if (waiting.underWay === way) waiting.underWay = undefined;
        promiseResolved();
        act();
      };
      const way: Cancellable = {
        cancel: (reason) => {
          stream.abort(reason);
          settle(() => reject(reason));
        },
      };
      const stop = after(Math.max(1, ms), () => way.cancel(timedOut(target)));
      let stream: Stream;
      const told = (refused?: GateError) => settle(() => refused ? reject(refused) : resolve(stream));
      try {
        stream = this.#offered.has(row.id)
          ? this.open(row.id, target, from, told)
          : this.#parts.crossings.open(row, target, from, told);
        waiting.underWay = way;
      } catch (thrown) {
        settle(() => reject(asGateError(thrown)));
      }
    });
  }

  /** Through a connection of this engine. As Offer has it, and throws NotConnected where that offers it no more. */
  open(id: number, target: Target, from: From, told: (refused?: GateError) => void): Stream {
    const offered = this.#offered.get(id);
    if (!offered) throw notConnected(target);
    return Carried.by(offered.offer.open(target, from, told), offered.way);
  }

  /** What a connection of this engine offers. */
  offering(conn: Connection): Offering {
    const offered = [...this.#ofConnection.get(conn) ?? []].filter(({ told }) => told === undefined);
    const sum = (of: (way: Way) => number) => offered.reduce((all, { way }) => all + of(way), 0);
    return {
      names: offered.map(({ offer: { name, port } }) => ({ host: name, port })).sort(compareNames).map(
        formatTarget,
      ),
      streams: sum(({ open }) => open.size),
      served: sum(({ served }) => served),
      up: sum(({ up }) => up),
      down: sum(({ down }) => down),
      roundTrip: offered[0]?.offer.roundTrip,
    };
  }

  /** How many of them there are, the names they have, and the streams to those. */
  get counts(): Pick<Population, "nodes" | "names" | "streams"> {
    const granted = [...this.#offered.values()].filter(({ told }) => told === undefined);
    return {
      nodes: new Set(granted.map(({ conn }) => conn)).size,
      names: granted.length,
      streams: granted.reduce((sum, { way }) => sum + way.open.size, 0),
    };
  }

  /** Tells the connections that offer something in parts; the last one says that no more come. */
  list(tell: (part: readonly NodeStatus[], more: boolean) => void): void {
    let part: NodeStatus[] = [];
    inSlices([...this.#ofConnection.keys()], (conn) => {
      const offering = this.offering(conn);
      if (offering.names.length > 0) part.push(nodeStatus(conn, offering));
      if (part.length < PART) return;
      tell(part, true);
      part = [];
    }, () => tell(part, false));
  }

  /** What a connection reached, where that is offered now; by whatever engine's connection. */
  whose({ record: { endpoint, target: asked } }: Connection): LiveRow | undefined {
    const reached = endpoint === "" ? asked : endpoint.endsWith(MESH) ? endpoint.slice(0, -MESH.length) : "";
    const target = parseTarget(reached);
    return target && this.names.find(target);
  }

  /** Who offers that, where it is a connection of this engine. */
  connectionOf({ id }: LiveRow): Connection | undefined {
    return this.#offered.get(id)?.conn;
  }

  #enter(offered: Offered): void {
    const { id, conn } = offered, others = this.#ofConnection.get(conn);
    this.#offered.set(id, offered);
    if (others) return void others.add(offered);
    const all = new Set([offered]);
    this.#ofConnection.set(conn, all);
    conn.atEnd(() => {
      this.#ofConnection.delete(conn);
      for (const one of all) this.#withdraw(one);
    });
  }

  #withdraw(offered: Offered): void {
    if (this.#forget(offered)) this.#parts.tell({ op: "withdraw", id: offered.id });
  }

  #forget(offered: Offered): boolean {
    this.#ofConnection.get(offered.conn)?.delete(offered);
    return this.#offered.delete(offered.id);
  }

  #forbidden({ conn, offer: { name, port } }: Offered): GateError | undefined {
    const target = { host: name, port };
    const asking = askingOf(conn, "target", conn.entrance.entry.trusted, target);
    const by = this.#parts.decider().policy.forbids(asking, target);
    if (by === undefined) return undefined;
    return new GateError(
      "denied",
      "gate",
      `Cannot register ${formatTarget(target)}: policy refuses it, by ${by}`,
    );
  }
}

const unproven = ({ name }: Offer) =>
  new GateError("unauthenticated", "client", `Cannot register ${name}: nobody has proven who asks`);

const notConnected = (target: Target): NotConnected => {
  const state = "it is not connected", message = `Cannot connect to ${formatTarget(target)}: ${state}`;
  return telling(state, new NotConnected("unreachable", "upstream", message));
};

const timedOut = (target: Target) =>
  atLimit(
    "dialTimeout",
    new GateError("timeout", "upstream", `Cannot connect to ${formatTarget(target)}: no answer in time`),
  );
