/** The one way out: route, policy, dial. Where to go is decided in decide.ts; here it happens. */
import { formatTarget, type Target } from "./address.ts";
import { AskedTargets, type Deciding, type NamedRequest } from "./asked.ts";
import { type Asking, askingOf } from "./asking.ts";
import type { Connection } from "./connection.ts";
import type { FilesSite, Requested } from "./requests.ts";
import type { Stream } from "./streams.ts";
import type { Decider, Plan } from "./decide.ts";
import { Dialer, type DialerParts } from "./dialer.ts";
import { after, now, promiseResolved } from "./engine/loop.ts";
import { socketPair } from "./engine/socket_pair.ts";
import { PooledUpstream, type UpstreamPool } from "./engine/upstream_pool.ts";
import { GateError } from "./errors.ts";
import { lostUser } from "./right.ts";
import { RouteDialer, type RouteDialerParts } from "./route_dialer.ts";
import type { RouteEndpoint, RouteRule } from "./snapshot.ts";
import { tlsKind } from "./upstream_tls.ts";
import { lostVouching } from "./vouching.ts";

/** The other end of a connection for files; the descriptor goes to their thread. */
export type AskForFiles = (fd: number, site: FilesSite) => void;

/** What one snapshot compiles to, and what outlives it. */
export interface ConnectorParts extends DialerParts, RouteDialerParts, Deciding {
  readonly askForFiles: AskForFiles;
  /** Upstreams that wait for another message: they outlive snapshots. */
  readonly pool: UpstreamPool;
}

/** Before a message goes where it was already, ms. */
const FIRST_PAUSE = 50, LONGEST_PAUSE = 1000;

export class Connector {
  readonly #parts: ConnectorParts;
  readonly #dialer: Dialer;
  readonly #routes: RouteDialer;
  readonly asked: AskedTargets;

  constructor(parts: ConnectorParts, routes: readonly RouteRule[]) {
    this.#parts = parts;
    this.#dialer = new Dialer(parts);
    this.asked = new AskedTargets(parts, this.#dialer);
    this.#routes = new RouteDialer(parts, this.#dialer, routes);
  }

  /** Throws or rejects with GateError; the connection's record tells target and endpoint. */
  connect(target: Target | undefined, conn: Connection): Promise<Stream> {
    const { decider, protocols } = this.#parts;
    const naming = conn.entrance.branch === "channel" ? "target" : protocols[conn.record.protocol].naming;
    const unproven = lostUser(conn) ?? lostVouching(conn); // a reload may not have come round to this one yet
    if (unproven) throw unproven;
    conn.askedAt = now;
    if (target) conn.record.target = formatTarget(target);
    const asking = askingOf(conn, naming, conn.trusted, target);
    const plan = decider.plan(asking);
    requireSameLayer(plan, conn);
    const until = now + conn.limits.dialTimeout;
    if (plan.kind === "asked" || naming === "target") conn.right = { asking, plan };
    if (plan.kind === "route") {
      conn.route = plan.route.place;
      if (plan.route.live !== undefined) conn.live = { asking, route: plan.route };
      return this.#routes.dial(plan.route, conn, until);
    }
    return this.asked.dial(plan.target, conn, conn.right!, until);
  }

  /** Whether HTTP that comes in there is routed request by request. */
  handles(listener: string): boolean {
    return this.#parts.decider.handles(listener);
  }

  /** The route of one request. Throws GateError. */
  route(request: Requested, conn: Connection): RouteRule {
    const asking = askingOfRequest(request, conn);
    const { outer } = conn.entrance, unproven = lostVouching(conn);
    if (unproven) throw unproven;
    if (outer?.endedBy) this.#refuseMisdirected(asking, outer.endedBy, outer.record.protocol);
    const plan = this.#parts.decider.plan(asking);
    if (plan.kind === "route") {
      conn.live = plan.route.live === undefined ? undefined : { asking, route: plan.route };
      return plan.route;
    }
    throw new GateError("internal", "gate", "Cannot route a request: its plan is no route");
  }

  /** The route whose `sources` refused a request; undefined: it was something else. */
  refusing(request: Requested, conn: Connection): RouteRule | undefined {
    const { router } = this.#parts.decider,
      asking = askingOfRequest(request, conn),
      route = router.match(asking);
    return route && !router.admits(route, asking.source) ? route : undefined;
  }

  /** A connection whose TLS ended for one host may bring requests for others, but for those whose TLS is passed on. */
  #refuseMisdirected(asking: Asking, endedBy: Decider, layer: string): void {
    const { decider } = this.#parts, { target, serverName } = asking;
    if (target === undefined || (target.host === serverName && decider === endedBy)) return;
    const reason = decider.misdirected(asking, layer);
    if (reason) throw reason;
  }

  /** An upstream for a message that takes this route: an idle one of the kind, else a new one. */
  toRouted(route: RouteRule, conn: Connection, reuse: boolean): Stream | Promise<Stream> {
    leaveUpstream(conn);
    conn.tried = undefined;
    conn.route = route.place;
    if (route.http?.files) return this.#toFiles(route.http.files, conn, reuse);
    const endpoints = this.#routes.order(route); // for both: chance decides among equals, and would choose again
    return (reuse ? this.#toIdle(route, conn, endpoints[0]) : undefined) ??
      this.#toNew(route, conn, endpoints);
  }

  /** The same for a message that came to nothing: where it has not been, else after a pause. */
  async again(route: RouteRule, conn: Connection, attempt: number, until: number): Promise<Stream> {
    leaveUpstream(conn);
    if (route.http?.files) return await this.#toFiles(route.http.files, conn, false);
    if (route.to.every((endpoint) => conn.tried?.has(endpoint))) await rest(pauseBefore(attempt));
    const endpoints = this.#routes.order(route, conn.tried);
    return await this.#toNew(route, conn, endpoints, Math.min(until, now + conn.limits.dialTimeout));
  }

  /** The same for a message whose client named the target; a route of its protocol may take that. */
  toNamed({ right }: NamedRequest, conn: Connection, reuse: boolean): Stream | Promise<Stream> {
    const { plan } = conn.right = { ...right };
    if (plan.kind === "route") return this.toRouted(plan.route, conn, reuse);
    leaveUpstream(conn);
    return (reuse ? this.asked.idle(plan.target, conn) : undefined) ?? this.asked.open(plan.target, conn);
  }

  /** An upstream within this process: nothing is dialed, so nothing is waited for. Throws GateError `exhausted`. */
  #toFiles(site: FilesSite, conn: Connection, reuse: boolean): Stream {
    const { pool, askForFiles } = this.#parts, kind = `files ${site.prefix} ${site.directory}`;
    let upstream = reuse ? pool.take(kind) : undefined;
    if (!upstream) {
      const { socket, other } = socketPair();
      askForFiles(other, site);
      upstream = new PooledUpstream(kind, socket, undefined, site.directory, false);
    }
    conn.record.endpoint = upstream.endpoint;
    conn.dialed = undefined;
    return (conn.upstream = upstream).stream;
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
    return this.#dialer.reach(target, conn, now + conn.limits.dialTimeout);
  }

  /** undefined: no idle upstream goes where this connection would. */
  #toIdle(route: RouteRule, conn: Connection, best: RouteEndpoint | undefined): Stream | undefined {
    const { pool } = this.#parts;
    const own = this.#ownOf(route, conn), endpoint = own?.endpoint ?? best;
    if (endpoint === undefined) return undefined;
    const upstream = own?.upstream ?? pool.take(kindOf(endpoint, route));
    if (upstream === undefined) return undefined;
    this.#routes.enter(endpoint, route, conn);
    conn.dialed = upstream.dialed;
    conn.record.endpoint = upstream.endpoint;
    conn.upstream = upstream;
    return upstream.stream;
  }

  /** The upstream that is this connection's alone, if it goes where this route does; else it is closed. */
  #ownOf(route: RouteRule, conn: Connection) {
    const { ownUpstream: upstream } = conn;
    if (upstream === undefined) return undefined;
    conn.ownUpstream = undefined;
    const endpoint = route.to.find((one) => kindOf(one, route) === upstream.kind);
    if (endpoint && upstream.wake()) return { endpoint, upstream };
    upstream.close();
    return undefined;
  }

  async #toNew(
    route: RouteRule,
    conn: Connection,
    endpoints: readonly RouteEndpoint[],
    until = now + conn.limits.dialTimeout,
  ): Promise<Stream> {
    conn.askedAt = now;
    conn.resolvedAt = 0;
    const stream = await this.#routes.dial(route, conn, until, endpoints);
    conn.upstream = new PooledUpstream(
      kindOf(conn.endpoint!, route),
      stream,
      conn.dialed,
      conn.record.endpoint,
      route.proxyProtocol !== undefined,
    );
    return stream;
  }
}

function askingOfRequest(request: Requested, conn: Connection): Asking {
  const asking = askingOf(conn, "host", conn.trusted, request.target, request);
  return request.source === undefined ? asking : { ...asking, source: request.source };
}

/** The one of the message before, if it was not kept. */
function leaveUpstream(conn: Connection): void {
  conn.upstream?.leavePool();
  conn.upstream = undefined;
  conn.leaveEndpoint();
}

/** ms: doubled with each attempt up to the longest, a half of it by chance. */
const pauseBefore = (attempt: number): number =>
  Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * (1 - Math.random() / 2);

function rest(ms: number): Promise<void> {
  return new Promise((resolve) =>
    after(ms, () => {
      promiseResolved();
      resolve();
    })
  );
}

/**
 * What was opened goes nowhere but to the `to` of a route that ends TLS, and what was not never there, nor where requests
 * are handled: a reload may lie between.
 */
function requireSameLayer(plan: Plan, conn: Connection): void {
  const { tls = undefined, http = undefined } = plan.kind === "route" ? plan.route : {};
  if (!http && (tls !== undefined) === conn.isUnwrapped) return;
  const state = http
    ? "its route handles requests now"
    : tls
    ? "TLS ends here for its route now"
    : "its route passes TLS on now";
  throw new GateError("no-route", "gate", `Cannot go on: ${state}, and the client was served otherwise`);
}

/** Of endpoints, each of which is one route's. */
const kinds = new WeakMap<RouteEndpoint, string>();

/** What one upstream may serve: messages to the same place, spoken to in the same way. */
function kindOf(endpoint: RouteEndpoint, route: RouteRule): string {
  let kind = kinds.get(endpoint);
  if (kind === undefined) kinds.set(endpoint, kind = makeKind(endpoint, route));
  return kind;
}

function makeKind(
  { target, secure }: RouteEndpoint,
  { live, proxyProtocol, upstreamTls }: RouteRule,
): string {
  const place = live === undefined ? formatTarget(target) : `mesh ${live} ${formatTarget(target)}`;
  if (!proxyProtocol && !secure) return place;
  return `${place} ${proxyProtocol ?? ""} ${secure ? tlsKind(upstreamTls) : ""}`;
}
