/** Active health checks: a TCP connect to every endpoint of the routes that ask for it. One engine does them for all. */
import type { Destination, Target } from "../contracts.ts";
import { asGateError, GateError } from "../errors.ts";
import type { EndpointChanged, Health } from "../health.ts";
import type { RouteEndpoint, RouteRule } from "../snapshot.ts";
import { dial } from "./dial.ts";
import { after } from "./loop.ts";

/** Where a target lives; undefined: nobody knows. */
export type Resolve = (target: Target) => Destination | undefined | Promise<Destination | undefined>;

export class Checks {
  #stopped = false;
  #pending: (() => void)[] = [];

  constructor(
    routes: readonly RouteRule[],
    readonly health: Health,
    readonly resolve: Resolve,
    readonly changed: EndpointChanged,
  ) {
    for (const { check, to } of routes) {
      if (check) { for (const endpoint of to) this.#plan(endpoint, check, Math.random() * check.interval); }
    }
  }

  /** No check begins after this; one under way ends unheard. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#pending) cancel();
  }

  #plan(endpoint: RouteEndpoint, check: NonNullable<RouteRule["check"]>, wait: number): void {
    if (this.#stopped) return;
    const cancel = after(wait, () => {
      this.#pending.splice(this.#pending.indexOf(cancel), 1);
      void this.#check(endpoint, check);
    });
    this.#pending.push(cancel);
  }

  async #check(endpoint: RouteEndpoint, check: NonNullable<RouteRule["check"]>): Promise<void> {
    const failure = await this.#connect(endpoint.target, check.timeout);
    if (this.#stopped) return;
    if (this.health.checked(endpoint, !failure)) this.changed(endpoint, failure);
    this.#plan(endpoint, check, check.interval);
  }

  /** Why it cannot be reached; undefined: it can. */
  async #connect(target: Target, timeout: number): Promise<GateError | undefined> {
    try {
      const destination = await this.resolve(target);
      if (!destination) {
        return new GateError("no-route", "gate", "Cannot check an endpoint: nobody knows its name");
      }
      const direct = destination.endpoints.filter(({ layers }) => layers.length === 0);
      if (direct.length === 0) return undefined; // what lies behind layers is judged by its dials alone
      const socket = await dial(direct.map(({ address }) => address), timeout);
      socket.close();
      return undefined;
    } catch (thrown) {
      return asGateError(thrown);
    }
  }
}
