/** What holds on this engine: a snapshot, and what decides, connects and checks by it. The next one replaces it whole. */
import { Connector, type ConnectorParts } from "./connector.ts";
import { Decider } from "./decide.ts";
import { type AskHealth, Checks } from "./engine/checks.ts";
import { isOwnIp } from "./engine/own_ip.ts";
import { inSlices } from "./engine/slices.ts";
import type { LiveRoutes } from "./mesh/live_routes.ts";
import type { Mesh } from "./mesh/mesh.ts";
import { OwnAddresses } from "./own_address.ts";
import { lostRight } from "./right.ts";
import type { Roster } from "./roster.ts";
import type { RouteRule, Snapshot } from "./snapshot.ts";
import { Terminations } from "./termination.ts";
import type { TlsContexts } from "./tls_contexts.ts";

/** What outlives a snapshot. */
export interface RulingParts
  extends Omit<ConnectorParts, "decider" | "deciding" | "own" | "keys" | "through"> {
  readonly roster: Pick<Roster, "configure" | "connections">;
  /** Whether health checks are made here: one engine makes them for all. */
  readonly checks: boolean;
  readonly tlsContexts: TlsContexts;
  readonly askHealth: AskHealth;
  readonly mesh: Pick<Mesh, "reach" | "judgeAgain">;
  readonly live: LiveRoutes;
}

export class Ruling {
  snapshot!: Snapshot;
  decider!: Decider;
  connector!: Connector;
  terminations!: Terminations;
  own!: OwnAddresses;
  readonly #parts: RulingParts;
  #checks: Checks | undefined;
  /** What is checked, to see whether a new snapshot checks anything else. */
  #checked = "";

  constructor(parts: RulingParts, snapshot: Snapshot) {
    this.#parts = parts;
    this.#hold(snapshot);
  }

  /** From now on this one holds. What is under way goes on, but for what lost its right. */
  replace(snapshot: Snapshot): void {
    this.#hold(snapshot, routesOfGone(this.snapshot, snapshot));
    this.#parts.mesh.judgeAgain();
    inSlices(this.#parts.roster.connections, (connection) => {
      if (this.snapshot !== snapshot || connection.over) return; // a later one judges everybody again
      const lost = lostRight(connection, this.decider);
      if (lost) connection.abort(lost);
    }, () => {});
  }

  /** No health check begins after this. */
  stopChecks(): void {
    this.#checks?.stop();
  }

  /** `gone`: routes that hold besides. */
  #hold(snapshot: Snapshot, gone: readonly RouteRule[] = []): void {
    const routes = [...gone, ...snapshot.routes];
    const decider = new Decider({ ...snapshot, routes }, isOwnIp, this.#parts.live);
    this.snapshot = snapshot;
    this.decider = decider;
    this.own = new OwnAddresses(snapshot, isOwnIp);
    this.connector = new Connector({
      ...this.#parts,
      decider,
      deciding: () => this.decider,
      own: this.own,
      keys: snapshot.keys,
      roots: snapshot.roots,
      through: snapshot.through,
    }, routes);
    const { tlsContexts, upstreamTls, protocols, roster } = this.#parts;
    this.terminations = new Terminations(snapshot, decider, tlsContexts, protocols, this.#parts.live);
    tlsContexts.keep(snapshot);
    upstreamTls.keep({ routes });
    roster.configure(snapshot);
    if (this.#parts.checks) this.#check(snapshot.routes);
  }

  /** Checks that stay the same go on. */
  #check(routes: readonly RouteRule[]): void {
    const checked = JSON.stringify(
      routes.filter(({ check }) => check).map((
        { check, to, host, upstreamTls },
      ) => [check, to, host, upstreamTls?.digest]),
    );
    if (checked === this.#checked) return;
    const { health, questions, askHealth, upstreamTls, endpointChanged } = this.#parts;
    this.#checked = checked;
    this.#checks?.stop();
    this.#checks = new Checks(routes, {
      health,
      askHealth,
      secure: (lower, target, rule, ms) =>
        upstreamTls.secure(lower, target, rule, ms, { over: false, wrapping: undefined }),
      resolve: (target) => questions.resolve(target),
      changed: endpointChanged,
    });
  }
}

/**
 * The routes of listeners that are gone with `snapshot`: who came in while they listened, or waits in the kernel's queue
 * of one, is served. Not after another snapshot: then the rows of their endpoints may be another's.
 */
function routesOfGone(before: Snapshot, snapshot: Snapshot): RouteRule[] {
  const isGone = (name: string) =>
    Object.hasOwn(before.listeners, name) && !Object.hasOwn(snapshot.listeners, name);
  return before.routes.filter(({ listener }) => listener !== undefined && isGone(listener));
}
