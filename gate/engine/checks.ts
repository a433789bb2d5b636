/**
 * Active health checks: a TCP connect to every endpoint of the routes that ask for it, or a GET that has to be answered
 * well. One engine does them for all.
 */
import { formatTarget, isUnixHost, type Target } from "../address.ts";
import type { Destination } from "../contracts.ts";
import type { Stream } from "../streams.ts";
import { asGateError, GateError } from "../errors.ts";
import type { EndpointChanged, Health } from "../health.ts";
import type { RouteEndpoint, RouteRule } from "../snapshot.ts";
import { dial } from "./dial.ts";
import { after, now } from "./loop.ts";

/** Where a target lives; undefined: nobody knows. */
export type Resolve = (target: Target) => Destination | undefined | Promise<Destination | undefined>;
/** MOVES `lower` into TLS as its route has it, within `ms`. Rejects with GateError. */
export type Secure = (
  lower: Stream,
  target: Target,
  rule: RouteRule["upstreamTls"],
  ms: number,
) => Promise<Stream>;
/** GETs `path` of `host`: the response's status. Rejects with GateError. */
export type AskHealth = (stream: Stream, host: string, path: string) => Promise<number>;

export interface ChecksParts {
  readonly health: Health;
  readonly resolve: Resolve;
  readonly secure: Secure;
  readonly askHealth: AskHealth;
  readonly changed: EndpointChanged;
}

/** One endpoint, as its route has it checked. */
interface Checked {
  readonly endpoint: RouteEndpoint;
  readonly check: NonNullable<RouteRule["check"]>;
  readonly upstreamTls: RouteRule["upstreamTls"];
  /** Of the request, where there is one. */
  readonly host: string;
}

/** RFC 9110 15: what is answered with these is served. */
const GOOD_FROM = 200, GOOD_TO = 399;

export class Checks {
  readonly #parts: ChecksParts;
  #stopped = false;
  #pending: (() => void)[] = [];

  constructor(routes: readonly RouteRule[], parts: ChecksParts) {
    this.#parts = parts;
    for (const { check, to, host, upstreamTls } of routes) {
      if (!check) continue;
      for (const endpoint of to) {
        const checked = { endpoint, check, upstreamTls, host: askedHost(host, endpoint.target) };
        this.#plan(checked, Math.random() * check.interval);
      }
    }
  }

  /** No check begins after this; one under way ends unheard. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#pending) cancel();
  }

  #plan(checked: Checked, wait: number): void {
    if (this.#stopped) return;
    const cancel = after(wait, () => {
      this.#pending.splice(this.#pending.indexOf(cancel), 1);
      void this.#check(checked);
    });
    this.#pending.push(cancel);
  }

  async #check(checked: Checked): Promise<void> {
    const { endpoint, check } = checked, { health, changed } = this.#parts;
    const failure = await this.#failure(checked);
    if (this.#stopped) return;
    if (health.checked(endpoint, !failure)) changed(endpoint, failure);
    this.#plan(checked, check.interval);
  }

  /** Why it is not well; undefined: it is. */
  async #failure(checked: Checked): Promise<GateError | undefined> {
    const { endpoint: { target }, check: { timeout, path } } = checked, until = now + timeout;
    try {
      const destination = await this.#parts.resolve(target);
      if (!destination) {
        return new GateError("no-route", "gate", "Cannot check an endpoint: nobody knows its name");
      }
      const direct = destination.endpoints.filter(({ layers, connected }) =>
        layers.length === 0 && !connected
      );
      if (direct.length === 0) return undefined; // what lies behind layers, or is connected, is judged by its dials alone
      const socket = await dial(direct.map(({ address }) => address), timeout);
      if (path === undefined) socket.close();
      else await this.#ask(socket, checked, path, until);
      return undefined;
    } catch (thrown) {
      return asGateError(thrown);
    }
  }

  /** MOVES the socket. Rejects with GateError where the answer is not good, or is not there by `until`. */
  async #ask(socket: Stream, checked: Checked, path: string, until: number): Promise<void> {
    const { endpoint: { target, secure }, upstreamTls, host } = checked;
    const left = () => Math.max(1, until - now);
    const stream = secure ? await this.#parts.secure(socket, target, upstreamTls, left()) : socket;
    const stop = after(left(), () => stream.abort(tooSlow()));
    try {
      const status = await this.#parts.askHealth(stream, host, path);
      if (status >= GOOD_FROM && status <= GOOD_TO) return;
      const state = `${path} is answered with ${status}`;
      throw new GateError("unsupported", "upstream", `Cannot use an endpoint: ${state}`);
    } finally {
      stop();
      stream[Symbol.dispose]();
    }
  }
}

/** The one name of the route, or what the endpoint calls itself. */
function askedHost(host: string | undefined, target: Target): string {
  if (host !== undefined && !host.startsWith("*")) return host;
  return isUnixHost(target.host) ? "localhost" : formatTarget(target);
}

const tooSlow = () => new GateError("timeout", "upstream", "Cannot check an endpoint: no answer in time");
