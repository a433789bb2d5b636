/** Active health checks: a TCP connect to every endpoint of the routes that ask for it. One engine does them for all. */
import type { Destination, Target } from "../contracts.ts";
import type { Health } from "../health.ts";
import type { RouteEndpoint, RouteRule } from "../snapshot.ts";
import { dial } from "./dial.ts";
import { after } from "./loop.ts";

/** Where a target lives; undefined: nobody knows. */
export type Resolve = (target: Target) => Destination | undefined | Promise<Destination | undefined>;

export class Checks {
  #stopped = false;
  #pending: (() => void)[] = [];

  constructor(routes: readonly RouteRule[], readonly health: Health, readonly resolve: Resolve) {
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
    const good = await this.#connects(endpoint.target, check.timeout);
    if (!this.#stopped) this.health.checked(endpoint, good);
    this.#plan(endpoint, check, check.interval);
  }

  async #connects(target: Target, timeout: number): Promise<boolean> {
    try {
      const destination = await this.resolve(target);
      if (!destination) return false;
      const direct = destination.endpoints.filter(({ layers }) => layers.length === 0);
      if (direct.length === 0) return true; // what lies behind layers is judged by its dials alone
      const socket = await dial(direct.map(({ address }) => address), timeout);
      socket.close();
      return true;
    } catch {
      return false; // whatever the reason: it cannot be reached
    }
  }
}
