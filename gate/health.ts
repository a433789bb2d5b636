/**
 * Which endpoints of a route are worth a dial: least loaded by weight, without those that failed lately or whose check
 * fails. One row for each endpoint in memory that all engines share.
 */
import type { GateError } from "./errors.ts";
import type { RouteEndpoint } from "./snapshot.ts";

const ACTIVE = 0, FAILURES = 1, EJECTED_UNTIL = 2, CHECK_FAILURES = 3, ROW = 4;
/** Failed dials in a row that leave an endpoint out. */
const EJECT_AFTER = 2;
/** How long, seconds: doubled with each further failure up to the longest. Then it is tried again. */
const EJECT_FIRST = 5, EJECT_LONGEST = 60;
/** Failed checks in a row that leave it out; one good check brings it back. */
const CHECKS_FAIL = 2;

/** Endpoints that have a row of their own: more than a configuration of 1 MiB can name. */
export const MOST_ENDPOINTS = 65_536;
/** In place of a row: who is connected by itself is there, or is not. */
export const UNCOUNTED = -1;
/** Bytes of the table of all, and of what one engine counted in it: touched only where endpoints are. */
export const HEALTH_SIZE = MOST_ENDPOINTS * ROW * 4, OWN_HEALTH_SIZE = MOST_ENDPOINTS * 4;

/** Since 2026, so that it fits the table's 32 bits until 2094. */
const seconds = (): number => Math.floor((Date.now() - Date.UTC(2026)) / 1000);

/** What who only looks needs of it. */
export type EndpointHealth = Pick<Health, "state" | "load" | "reset">;

/** Hears that an endpoint is left out from now on, and why; or that it is back. */
export type EndpointChanged = (endpoint: RouteEndpoint, failure: GateError | undefined) => void;

export class Health {
  readonly #rows: Int32Array;
  /** What of the loads this engine counted: taken out again should it die. */
  readonly #own: Int32Array;

  /** `clock` tells seconds. */
  constructor(
    shared: SharedArrayBuffer,
    own: SharedArrayBuffer,
    readonly clock: () => number = seconds,
  ) {
    this.#rows = new Int32Array(shared);
    this.#own = new Int32Array(own);
  }

  /** Connections at the endpoint of that row now. */
  load(row: number): number {
    return this.#rows[row * ROW + ACTIVE];
  }

  /** A row for a new endpoint: nothing is known of it. */
  reset(row: number): void {
    this.#rows.fill(0, row * ROW, (row + 1) * ROW);
  }

  /**
   * The endpoints in the order they should be tried: usable ones by load, then the others; in both, those that were
   * `tried` come last. Where loads are equal, as in quiet times, chance decides by weight.
   */
  order(endpoints: readonly RouteEndpoint[], tried?: ReadonlySet<RouteEndpoint>): readonly RouteEndpoint[] {
    if (endpoints.length === 1) return endpoints;
    const now = this.clock();
    return endpoints
      .map((endpoint) => ({
        endpoint,
        usable: this.#usable(endpoint, now),
        fresh: !tried?.has(endpoint),
        load: this.#rows[endpoint.health * ROW + ACTIVE] / endpoint.weight,
        lot: -Math.log(1 - Math.random()) / endpoint.weight,
      }))
      .sort((a, b) =>
        Number(b.usable) - Number(a.usable) || Number(b.fresh) - Number(a.fresh) || a.load - b.load ||
        a.lot - b.lot
      )
      .map(({ endpoint }) => endpoint);
  }

  /** A connection goes there: counts until `left`. */
  entered(endpoint: RouteEndpoint): void {
    if (endpoint.health === UNCOUNTED) return;
    Atomics.add(this.#rows, endpoint.health * ROW + ACTIVE, 1);
    this.#own[endpoint.health]++;
  }

  left(endpoint: RouteEndpoint): void {
    if (endpoint.health === UNCOUNTED) return;
    Atomics.sub(this.#rows, endpoint.health * ROW + ACTIVE, 1);
    this.#own[endpoint.health]--;
  }

  /** How a dial ended; true: the endpoint is left out from now on, or is back. */
  dialed(endpoint: RouteEndpoint, good: boolean): boolean {
    if (endpoint.health === UNCOUNTED) return false;
    const row = endpoint.health * ROW;
    if (good) {
      if (this.#rows[row + FAILURES] === 0) return false;
      return Atomics.exchange(this.#rows, row + FAILURES, 0) >= EJECT_AFTER && this.#forgive(row);
    }
    const failures = Atomics.add(this.#rows, row + FAILURES, 1) + 1;
    if (failures < EJECT_AFTER) return false;
    const pause = Math.min(EJECT_LONGEST, EJECT_FIRST * 2 ** Math.min(10, failures - EJECT_AFTER));
    this.#rows[row + EJECTED_UNTIL] = this.clock() + pause;
    return failures === EJECT_AFTER;
  }

  /** How a check ended; true: the endpoint is left out from now on, or is back. */
  checked(endpoint: RouteEndpoint, good: boolean): boolean {
    const row = endpoint.health * ROW;
    if (!good) return Atomics.add(this.#rows, row + CHECK_FAILURES, 1) + 1 === CHECKS_FAIL;
    const back = this.#rows[row + CHECK_FAILURES] >= CHECKS_FAIL || this.#rows[row + FAILURES] >= EJECT_AFTER;
    this.#rows[row + CHECK_FAILURES] = this.#rows[row + FAILURES] = 0;
    return this.#forgive(row) && back;
  }

  #forgive(row: number): true {
    this.#rows[row + EJECTED_UNTIL] = 0;
    return true;
  }

  /** Takes out what a dead engine counted. */
  forgive(own: SharedArrayBuffer): void {
    for (const [row, active] of new Int32Array(own).entries()) {
      if (active !== 0) Atomics.sub(this.#rows, row * ROW + ACTIVE, active);
    }
  }

  /** What an operator wants to see of an endpoint. */
  state(endpoint: RouteEndpoint): { active: number; usable: boolean } {
    return {
      active: this.#rows[endpoint.health * ROW + ACTIVE],
      usable: this.#usable(endpoint, this.clock()),
    };
  }

  #usable(endpoint: RouteEndpoint, now: number): boolean {
    const row = endpoint.health * ROW;
    return this.#rows[row + EJECTED_UNTIL] <= now && this.#rows[row + CHECK_FAILURES] < CHECKS_FAIL;
  }
}
