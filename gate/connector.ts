/** The one way out: route, policy, discovery, dial, wrap. What it does is decided in decide.ts; here it happens. */
import { formatTarget, isUnixHost, parseIp } from "./address.ts";
import { askingOf } from "./asking.ts";
import { Attempt } from "./attempt.ts";
import type { Connection } from "./connection.ts";
import type { Destination, Endpoint, Protocols, Stream, Target } from "./contracts.ts";
import type { Decider } from "./decide.ts";
import { asGateError, atLimit, GateError } from "./errors.ts";
import { after, now, promiseResolved } from "./engine/loop.ts";
import type { OwnDials } from "./engine/own_dials.ts";
import type { EndpointChanged, Health } from "./health.ts";
import type { OwnAddresses } from "./own_address.ts";
import type { Questions } from "./questions.ts";
import type { Right } from "./right.ts";
import type { RouteEndpoint, RouteRule } from "./snapshot.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}
/** Writes the header of the PROXY protocol. */
export type ProxyHeader = (version: "v1" | "v2", source?: Place, destination?: Place) => Uint8Array;

/** What one snapshot compiles to, and what outlives it. */
export interface ConnectorParts {
  readonly protocols: Protocols;
  readonly decider: Decider;
  /** Which decides now: another one, once a reload replaced the snapshot while a connection is on its way. */
  readonly deciding: () => Decider;
  readonly own: OwnAddresses;
  readonly questions: Questions;
  readonly health: Health;
  readonly ownDials: OwnDials;
  readonly proxyHeader: ProxyHeader;
  readonly endpointChanged: EndpointChanged;
}

/** Upstream proxies that are reached through each other. */
const MOST_PROXIES = 4;

export class Connector {
  readonly #parts: ConnectorParts;
  /** Targets of routes that need no resolving, as what a dial takes. */
  readonly #literal = new Map<Target, readonly Target[]>();

  constructor(parts: ConnectorParts, routes: readonly RouteRule[]) {
    this.#parts = parts;
    for (const { target } of routes.flatMap(({ to }) => to)) {
      if (isUnixHost(target.host) || parseIp(target.host)) this.#literal.set(target, [target]);
    }
  }

  /** Throws or rejects with GateError; the connection's record tells target and endpoint. */
  connect(target: Target | undefined, conn: Connection): Promise<Stream> {
    const { decider, protocols } = this.#parts;
    const { naming } = protocols[conn.record.protocol];
    conn.askedAt = now;
    if (target) conn.record.target = formatTarget(target);
    const asking = askingOf(conn, naming, conn.entrance.trusted, target);
    const plan = decider.plan(asking);
    const until = now + conn.limits.dialTimeout;
    if (plan.kind === "asked" || naming === "target") conn.right = { asking, plan };
    if (plan.kind === "route") {
      conn.route = plan.route.place;
      return this.#toOnly(plan.route, conn, until) ?? this.#toRoute(plan.route, conn, until);
    }
    return this.#toAsked(plan.target, conn, conn.right!, until);
  }

  /** The bytes of a connection that nobody could tell apart go there as they came. */
  fallback(target: Target, conn: Connection): Promise<Stream> {
    const { address } = conn.peer;
    const bar = this.#parts.decider.policy.barredRouted(
      conn.listener,
      address === "unix" ? undefined : address,
    );
    if (bar) throw new GateError("denied", "gate", `Cannot use the fallback: its source is denied by ${bar}`);
    conn.route = "fallback";
    conn.askedAt = now;
    return this.#reach(target, conn, now + conn.limits.dialTimeout);
  }

  /** The plain case without a detour: one endpoint, which is a literal. undefined: it is not that case. */
  #toOnly(route: RouteRule, conn: Connection, until: number): Promise<Stream> | undefined {
    const [endpoint] = route.to;
    const literal = route.to.length === 1 && !route.proxyProtocol
      ? this.#literal.get(endpoint.target)
      : undefined;
    if (!literal) return undefined;
    const { health, own, ownDials } = this.#parts;
    conn.enterEndpoint(endpoint, health);
    return Attempt.dial(literal, until - now, conn, own, ownDials, (failure) => {
      if (!failure) this.#stood(endpoint);
      else this.#failed(endpoint, conn, failure);
    });
  }

  /** One endpoint after the other, the best first, until one stands. */
  async #toRoute(route: RouteRule, conn: Connection, until: number): Promise<Stream> {
    const { health } = this.#parts;
    let failure: GateError | undefined;
    const endpoints = health.order(route.to);
    for (const [i, endpoint] of endpoints.entries()) {
      if (failure && now >= until) break;
      const share = now + (until - now) / (endpoints.length - i); // one that never answers leaves time for the next
      conn.enterEndpoint(endpoint, health);
      try {
        const literal = this.#literal.get(endpoint.target);
        const stream =
          await (literal ? this.#dial(literal, conn, share) : this.#reach(endpoint.target, conn, share));
        this.#stood(endpoint);
        if (route.proxyProtocol) {
          await writeOrClose(stream, this.#header(route.proxyProtocol, conn));
        }
        return stream;
      } catch (thrown) {
        failure = asGateError(thrown);
        this.#failed(endpoint, conn, failure);
        if (failure.side === "client" || conn.over) break;
      }
    }
    throw failure ?? new GateError("no-route", "gate", `Cannot go on: ${route.place} has nowhere to go`);
  }

  /** A client that went away says nothing about the endpoint. */
  #failed(endpoint: RouteEndpoint, conn: Connection, failure: GateError): void {
    conn.leaveEndpoint();
    if (failure.side === "client" || failure.failure === "exhausted" || conn.over) return;
    if (this.#parts.health.dialed(endpoint, false)) this.#parts.endpointChanged(endpoint, failure);
  }

  #stood(endpoint: RouteEndpoint): void {
    if (this.#parts.health.dialed(endpoint, true)) this.#parts.endpointChanged(endpoint, undefined);
  }

  #header(version: "v1" | "v2", conn: Connection): Uint8Array {
    const { address, port } = conn.peer;
    const source = port === undefined ? undefined : { address, port };
    const local = conn.localAddress;
    return this.#parts.proxyHeader(version, source, local && { address: local.host, port: local.port });
  }

  /** What the client named, as far as policy permits: also if that changes meanwhile. */
  async #toAsked(target: Target, conn: Connection, right: Right, until: number): Promise<Stream> {
    let by: Decider | undefined;
    const stream = await this.#reach(target, conn, until, (destination) => {
      by = this.#parts.deciding();
      right.completed = destination.completed;
      return by.permit(right.asking, right.plan, destination);
    });
    right.endpoint ??= { address: conn.dialed!, layers: [] };
    const decider = this.#parts.deciding();
    const refused = by === decider ? undefined : decider.refuses(right);
    if (refused === undefined) return stream;
    stream[Symbol.dispose]();
    throw new GateError("denied", "gate", `Cannot go on: policy refuses it now, by ${refused}`);
  }

  /** `permit`: where the client named the target. `depth`: proxies on the way, each reached through the next. */
  async #reach(
    target: Target,
    conn: Connection,
    until: number,
    permit?: (destination: Destination) => readonly Endpoint[],
    depth = 0,
  ): Promise<Stream> {
    if (depth > MOST_PROXIES) {
      throw new GateError(
        "no-route",
        "gate",
        `Cannot connect to ${formatTarget(target)}: proxies lead to each other`,
      );
    }
    // Names that clients give are bounded by source, or one client's questions would stop everybody's.
    const source = permit && conn.peer.address !== "unix" ? conn.peer.address : undefined;
    const asked = this.#parts.questions.resolve(target, source);
    const destination = asked instanceof Promise ? await this.#inTime(asked, conn, until) : asked;
    if (depth === 0 && asked instanceof Promise) conn.resolvedAt = now;
    if (!destination) {
      throw new GateError(
        "no-route",
        "gate",
        `Cannot connect to ${formatTarget(target)}: nobody knows the name`,
      );
    }
    const endpoints = permit ? permit(destination) : destination.endpoints;
    const direct = endpoints.filter(({ layers }) => layers.length === 0).map(({ address }) => address);
    if (direct.length === endpoints.length) return await this.#dial(direct, conn, until);
    let failure: GateError | undefined;
    for (const endpoint of endpoints) {
      try {
        if (endpoint.layers.length === 0) return await this.#dial([endpoint.address], conn, until);
        const stream = await this.#wrap(endpoint, conn, until, depth);
        if (permit && conn.right) conn.right.endpoint = endpoint;
        return stream;
      } catch (thrown) {
        failure = asGateError(thrown);
        if (failure.side === "client" || now >= until) break;
      }
    }
    throw failure;
  }

  #dial(addresses: readonly Target[], conn: Connection, until: number): Promise<Stream> {
    return Attempt.dial(addresses, Math.max(1, until - now), conn, this.#parts.own, this.#parts.ownDials);
  }

  /** Dials what is outermost and speaks the layers to it; the innermost is asked for the endpoint's address. */
  async #wrap(endpoint: Endpoint, conn: Connection, until: number, depth: number): Promise<Stream> {
    const outermost = endpoint.via ?? endpoint.address;
    const controller = new AbortController();
    const from = { peer: conn.peer, signal: controller.signal };
    const dial = () => this.#reach(outermost, conn, until, undefined, depth + 1);
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
    conn.wrapping = { cancel: abort };
    try {
      const stream = await lower();
      if (conn.over) {
        stream[Symbol.dispose]();
        throw gone();
      }
      conn.record.endpoint = `${formatTarget(outermost)} ${endpoint.layers.join("+")}`;
      return stream;
    } finally {
      stop();
      conn.wrapping = undefined;
    }
  }

  /** An answer that comes too late for this connection is kept for the next one. */
  #inTime<T>(asked: Promise<T>, conn: Connection, until: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = (reason: GateError) => {
        stop();
        conn.underWay = undefined;
        promiseResolved();
        reject(reason);
      };
      const stop = after(Math.max(1, until - now), () => cancel(timedOut()));
      conn.underWay = { cancel };
      asked.then((answer) => {
        stop();
        conn.underWay = undefined;
        resolve(answer);
      }, cancel);
    });
  }
}

async function writeOrClose(stream: Stream, bytes: Uint8Array): Promise<void> {
  try {
    await stream.write(bytes);
  } catch (thrown) {
    stream[Symbol.dispose]();
    throw thrown;
  }
}

const gone = () => new GateError("closed", "client", "Cannot connect: the client is gone");

const timedOut = (target?: Target) =>
  atLimit(
    "dialTimeout",
    new GateError(
      "timeout",
      "upstream",
      `Cannot connect${target ? ` to ${formatTarget(target)}` : ""}: no answer in time`,
    ),
  );
