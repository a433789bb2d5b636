/** From a target to a stream: its addresses are found, one is dialed, layers are spoken to what answers. */
import { formatTarget, type Target } from "./address.ts";
import { Attempt, type Outcome } from "./attempt.ts";
import type { Connection } from "./connection.ts";
import type { Destination, Endpoint, Protocols, Through } from "./contracts.ts";
import type { Stream } from "./streams.ts";
import { after, now, promiseResolved } from "./engine/loop.ts";
import type { OwnDials } from "./engine/own_dials.ts";
import { asGateError, atLimit, GateError } from "./errors.ts";
import type { Mesh } from "./mesh/mesh.ts";
import type { OwnAddresses } from "./own_address.ts";
import type { Questions } from "./questions.ts";

export interface DialerParts {
  readonly protocols: Protocols;
  readonly own: OwnAddresses;
  readonly questions: Questions;
  readonly ownDials: OwnDials;
  /** As Wrapping has them. */
  readonly keys: string;
  readonly roots?: string;
  readonly mesh: Pick<Mesh, "reach">;
  readonly through?: Through;
}

/** The endpoints that may be dialed, of those that were found. Throws GateError where there is none. */
export type Permit = (destination: Destination) => readonly Endpoint[];

/** Upstream proxies that are reached through each other. */
const MOST_PROXIES = 4;

export class Dialer {
  readonly #parts: DialerParts;

  constructor(parts: DialerParts) {
    this.#parts = parts;
  }

  /** `addresses` are literals; `until` is in the loop's time. Rejects with GateError; `outcome` hears it first. */
  dial(addresses: readonly Target[], conn: Connection, until: number, outcome?: Outcome): Promise<Stream> {
    return Attempt.dial(
      addresses,
      Math.max(1, until - now),
      conn,
      this.#parts.own,
      this.#parts.ownDials,
      outcome,
    );
  }

  /**
   * Where the target lives, one endpoint after the other until one stands. `permit`: where the client named the target.
   * `depth`: proxies on the way, each reached through the next. Rejects with GateError.
   */
  async reach(
    target: Target,
    conn: Connection,
    until: number,
    permit?: Permit,
    depth = 0,
  ): Promise<Stream> {
    if (depth > MOST_PROXIES) throw noWay(target, "proxies lead to each other");
    // Names that clients give are bounded by source, or one client's questions would stop everybody's.
    const source = permit && conn.peer.address !== "unix" ? conn.peer.address : undefined;
    const through = depth === 0 ? this.#parts.through : undefined;
    const asked = through ? throughOther(target, through) : this.#parts.questions.resolve(target, source);
    const destination = asked instanceof Promise ? await inTime(asked, conn, until) : asked;
    if (depth === 0 && asked instanceof Promise) conn.resolvedAt = now;
    if (!destination) throw noWay(target, "nobody knows the name");
    const endpoints = permit ? permit(destination) : destination.endpoints;
    const direct = endpoints.filter(isDirect).map(({ address }) => address);
    if (direct.length === endpoints.length) return await this.dial(direct, conn, until);
    let failure: GateError | undefined;
    for (const endpoint of endpoints) {
      try {
        if (isDirect(endpoint)) return await this.dial([endpoint.address], conn, until);
        const stream = endpoint.connected
          ? await this.connected(endpoint.address, conn, until)
          : await this.#wrap(endpoint, conn, until, depth);
        if (permit && conn.right) conn.right.endpoint = endpoint;
        return stream;
      } catch (thrown) {
        failure = asGateError(thrown);
        if (failure.side === "client" || now >= until) break;
      }
    }
    throw failure;
  }

  /** To who offers that name now. Rejects with GateError. */
  async connected(name: Target, conn: Connection, until: number): Promise<Stream> {
    if (conn.over) throw clientGone();
    const { address, port = 0 } = conn.peer;
    const stream = await this.#parts.mesh.reach(name, { address, port }, until - now, conn);
    if (conn.over) {
      stream[Symbol.dispose]();
      throw clientGone();
    }
    conn.connected(name);
    return stream;
  }

  /** Dials what is outermost and speaks the layers to it; the innermost is asked for the endpoint's address. */
  async #wrap(endpoint: Endpoint, conn: Connection, until: number, depth: number): Promise<Stream> {
    const outermost = endpoint.via ?? endpoint.address;
    const controller = new AbortController();
    const { questions: keyring, keys, roots } = this.#parts;
    const from = { peer: conn.peer, signal: controller.signal, keyring, keys, roots };
    const dial = () => this.reach(outermost, conn, until, undefined, depth + 1);
    const lower = endpoint.layers.reduce((below: () => Promise<Stream>, name, i) => {
      const innermost = i === endpoint.layers.length - 1;
      const to = innermost ? endpoint : { ...endpoint, address: outermost };
      return () => this.#parts.protocols[name].wrap!(to, below, from);
    }, dial);
    const abort = (reason: GateError) => {
      promiseResolved();
      controller.abort(reason);
    };
    const stop = after(Math.max(1, until - now), () => abort(timedOut(endpoint.address)));
    const around = conn.wrapping; // a proxy that is reached through this one
    conn.wrapping = {
      cancel: (reason) => {
        around?.cancel(reason);
        abort(reason);
      },
    };
    try {
      const stream = await lower();
      if (conn.over) {
        stream[Symbol.dispose]();
        throw clientGone();
      }
      conn.record.endpoint = `${formatTarget(outermost)} ${endpoint.layers.join("+")}`;
      return stream;
    } finally {
      stop();
      conn.wrapping = around;
    }
  }
}

/** An answer that comes too late for this connection is kept for the next one. */
function inTime<T>(asked: Promise<T>, conn: Connection, until: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const waiting = { cancel };
    const stop = after(Math.max(1, until - now), () => cancel(timedOut()));
    conn.underWay = waiting;
    function cancel(reason: GateError): void {
      over();
      promiseResolved();
      reject(reason);
    }
    function over(): void {
      stop();
      if (conn.underWay === waiting) conn.underWay = undefined; // else it waits for something else by now
    }
    asked.then((answer) => {
      over();
      resolve(answer);
    }, cancel);
  });
}

/** Whether its address is dialed. */
export const isDirect = ({ layers, connected }: Endpoint): boolean => layers.length === 0 && !connected;

const clientGone = () => new GateError("closed", "client", "Cannot connect: the client is gone");
const throughOther = (target: Target, through: Through): Destination => (
  { target, endpoints: [{ address: target, ...through }], source: "through", lifetime: 0 }
);

const noWay = (target: Target, why: string) =>
  new GateError("no-route", "gate", `Cannot connect to ${formatTarget(target)}: ${why}`);

const timedOut = (target?: Target) =>
  atLimit(
    "dialTimeout",
    new GateError(
      "timeout",
      "upstream",
      `Cannot connect${target ? ` to ${formatTarget(target)}` : ""}: no answer in time`,
    ),
  );
