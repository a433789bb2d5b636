/** Whether TLS ends at this gate for a connection, and in which context: decided on its engine, before its handshake. */
import { createHash } from "node:crypto";
import { formatTarget, type Target } from "./address.ts";
import { askingOf } from "./asking.ts";
import type { Connection } from "./connection.ts";
import type { Protocols, Termination } from "./contracts.ts";
import { type Decider, endsTls } from "./decide.ts";
import type { LiveRoutes } from "./mesh/live_routes.ts";
import type { Snapshot } from "./snapshot.ts";
import { ANYTHING, REQUESTS, type TlsContexts } from "./tls_contexts.ts";

/** The terminations of one snapshot. */
export class Terminations {
  readonly #decider: Decider;
  readonly #contexts: TlsContexts;
  readonly #protocols: Protocols;
  /** Where no route ends TLS, nothing is decided twice. */
  readonly #any: boolean;
  readonly #certified: boolean;
  /** Names that are registered may end it, too. */
  readonly #live: LiveRoutes;

  constructor(
    snapshot: Snapshot,
    decider: Decider,
    contexts: TlsContexts,
    protocols: Protocols,
    live: LiveRoutes,
  ) {
    this.#live = live;
    this.#decider = decider;
    this.#contexts = contexts;
    this.#protocols = protocols;
    this.#certified = snapshot.certificates.length > 0;
    this.#any = this.#certified && snapshot.routes.some(endsTls);
  }

  /** undefined: TLS is passed on. Throws GateError as connect, "no-route" too where no certificate has the name. */
  of(target: Target | undefined, conn: Connection): Termination | undefined {
    if (!this.#any && !(this.#certified && this.#live.any)) return undefined;
    if (target) conn.record.target = formatTarget(target);
    const { naming } = this.#protocols[conn.record.protocol];
    const asking = askingOf(conn, naming, conn.trusted, target);
    const plan = this.#decider.plan(asking);
    const certificate = this.#decider.certificate(asking, plan);
    if (plan.kind !== "route" || !certificate) return undefined;
    const { listener, peer: { serverName } } = conn;
    const { clientCertificates } = conn.rules; // a listener that is gone keeps its own for who came in there
    const { place, to, http } = plan.route;
    conn.route = place;
    conn.endedBy = this.#decider;
    conn.clients = clientCertificates;
    return {
      context: () => this.#contexts.of(certificate, clientCertificates, http ? REQUESTS : ANYTHING),
      tickets: ticketScope(listener, serverName, clientCertificates?.digest),
      inside: http === undefined && to.length > 0 ? "connect" : "enter",
    };
  }
}

/** Of names that were asked for lately: to make one costs as much as all else that is decided here. */
const MOST_SCOPES = 1024;
const scopes = new Map<string, Uint8Array<ArrayBuffer>>();

/** Whoever was let in under other settings, or asked for another name, has to show again who it is. */
function ticketScope(listener: string, serverName = "", clients = ""): Uint8Array<ArrayBuffer> {
  const told = JSON.stringify([listener, serverName, clients]), known = scopes.get(told);
  if (known) return known;
  if (scopes.size >= MOST_SCOPES) scopes.clear();
  const scope = Uint8Array.from(createHash("sha256").update(told).digest());
  scopes.set(told, scope);
  return scope;
}
