/** From a route to a stream: one of its endpoints after the other, the best first, until one stands. */
import { isUnixHost, parseIp, type Target } from "./address.ts";
import type { Connection } from "./connection.ts";
import type { Through } from "./contracts.ts";
import type { Stream } from "./streams.ts";
import type { Dialer } from "./dialer.ts";
import { now } from "./engine/loop.ts";
import { asGateError, GateError, NotConnected } from "./errors.ts";
import type { EndpointChanged, Health } from "./health.ts";
import type { RouteEndpoint, RouteRule } from "./snapshot.ts";
import type { UpstreamTls } from "./upstream_tls.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}
/** Writes the header of the PROXY protocol. */
export type ProxyHeader = (version: "v1" | "v2", source?: Place, destination?: Place) => Uint8Array;

export interface RouteDialerParts {
  readonly health: Health;
  readonly proxyHeader: ProxyHeader;
  readonly endpointChanged: EndpointChanged;
  readonly upstreamTls: UpstreamTls;
  readonly through?: Through;
}

export class RouteDialer {
  readonly #parts: RouteDialerParts;
  readonly #dialer: Dialer;
  /** Targets of routes that need no resolving, as what a dial takes. */
  readonly #literal = new Map<Target, readonly Target[]>();

  constructor(parts: RouteDialerParts, dialer: Dialer, routes: readonly RouteRule[]) {
    this.#parts = parts;
    this.#dialer = dialer;
    if (parts.through) return; // literals are dialed there, and not from here
    for (const { target } of routes.flatMap(({ to }) => to)) {
      if (isUnixHost(target.host) || parseIp(target.host)) this.#literal.set(target, [target]);
    }
  }

  /** The endpoints as they are to be tried: those where this message has been come last. */
  order({ to }: RouteRule, tried?: ReadonlySet<RouteEndpoint>): readonly RouteEndpoint[] {
    return this.#parts.health.order(to, tried);
  }

  /** The message of a connection goes to that endpoint: its load, until it leaves it. */
  enter(endpoint: RouteEndpoint, route: RouteRule, conn: Connection): void {
    conn.enterEndpoint(endpoint, this.#parts.health);
    if (route.http?.retries) (conn.tried ??= new Set()).add(endpoint);
  }

  /** `endpoints`: in their order. Rejects with GateError; the connection tells the endpoint. */
  dial(
    route: RouteRule,
    conn: Connection,
    until: number,
    endpoints = this.order(route),
  ): Promise<Stream> {
    return this.#toOnly(route, conn, until) ?? this.#toFirst(route, conn, until, endpoints);
  }

  /** The plain case without a detour: one endpoint, which is a literal. undefined: it is not that case. */
  #toOnly(route: RouteRule, conn: Connection, until: number): Promise<Stream> | undefined {
    const [endpoint] = route.to;
    const literal = route.to.length === 1 && !route.proxyProtocol && !endpoint.secure
      ? this.#literal.get(endpoint.target)
      : undefined;
    if (!literal) return undefined;
    this.enter(endpoint, route, conn);
    return this.#dialer.dial(literal, conn, until, (failure) => {
      if (!failure) this.#stood(endpoint);
      else this.#failed(endpoint, conn, failure);
    });
  }

  /** One endpoint after the other, the best first, until one stands. */
  async #toFirst(
    route: RouteRule,
    conn: Connection,
    until: number,
    endpoints: readonly RouteEndpoint[],
  ): Promise<Stream> {
    let failure: GateError | undefined;
    for (const [i, endpoint] of endpoints.entries()) {
      if (failure && now >= until) break;
      const share = now + (until - now) / (endpoints.length - i); // one that never answers leaves time for the next
      this.enter(endpoint, route, conn);
      try {
        const literal = this.#literal.get(endpoint.target);
        const stream = await (literal
          ? this.#dialer.dial(literal, conn, share)
          : route.live !== undefined
          ? this.#dialer.connected(endpoint.target, conn, share)
          : this.#dialer.reach(endpoint.target, conn, share));
        if (route.proxyProtocol) {
          await writeOrClose(stream, this.#header(route.proxyProtocol, conn));
        }
        const spoken = endpoint.secure ? await this.#secure(stream, endpoint, route, conn, share) : stream;
        this.#stood(endpoint);
        return spoken;
      } catch (thrown) {
        failure = asGateError(thrown);
        this.#failed(endpoint, conn, failure);
        if (failure.side === "client" || conn.over) break;
      }
    }
    throw failure ?? new GateError("no-route", "gate", `Cannot go on: ${route.place} has nowhere to go`);
  }

  #secure(
    stream: Stream,
    { target }: RouteEndpoint,
    { upstreamTls }: RouteRule,
    conn: Connection,
    until: number,
  ): Promise<Stream> {
    const ms = Math.max(1, Math.min(until - now, conn.limits.handshakeTimeout));
    return this.#parts.upstreamTls.secure(stream, target, upstreamTls, ms, conn);
  }

  /**
   * A client that went away says nothing about the endpoint. Who is not connected costs no dial, and is well as soon as
   * it is.
   */
  #failed(endpoint: RouteEndpoint, conn: Connection, failure: GateError): void {
    conn.leaveEndpoint();
    if (failure instanceof NotConnected) return;
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
}

async function writeOrClose(stream: Stream, bytes: Uint8Array): Promise<void> {
  try {
    await stream.write(bytes);
  } catch (thrown) {
    stream[Symbol.dispose]();
    throw thrown;
  }
}
