/** Where a connection goes, as a value: the route it takes, or the target it asked for and what policy says to that. */
import { canonicalHost, formatTarget, type Ip, isUnixHost, type Target } from "./address.ts";
import { askedName, type Asking } from "./asking.ts";
import type { Destination, Endpoint } from "./contracts.ts";
import { type Failure, GateError, Misdirected } from "./errors.ts";
import { Router } from "./match.ts";
import type { LiveRoutes, Serving } from "./mesh/live_routes.ts";
import { type Judgement, Policy, type Request } from "./policy.ts";
import type { Right } from "./right.ts";
import type { CertificateRule, RouteRule, Snapshot } from "./snapshot.ts";

/** A route's `to` is the operator's word; an asked target has to be resolved, and its addresses permitted. */
export type Plan =
  | { readonly kind: "route"; readonly route: RouteRule }
  | { readonly kind: "asked"; readonly target: Target; readonly verdict: "allow" | "maybe" };

/** The decisions of one snapshot. */
export class Decider {
  readonly router: Router;
  readonly policy: Policy;
  readonly #live: LiveRoutes | undefined;

  /**
   * `isOwnIp` tells whether an IP address is one of this machine's; it is asked only about ports of this gate. `live`:
   * routes behind those of the snapshot.
   */
  constructor(snapshot: Snapshot, isOwnIp: (ip: Ip) => boolean, live?: LiveRoutes) {
    this.#live = live;
    this.router = new Router(snapshot);
    this.policy = new Policy(snapshot, isOwnIp);
  }

  /** Throws GateError: "denied", "no-route" or "unauthenticated". */
  plan(asking: Asking): Plan {
    const route = this.match(asking);
    if (asking.naming === "target") return this.#planTarget(asking, route);
    if (route !== undefined) {
      const bar = this.policy.barredRouted(asking.listener, asking.source) ?? this.forbidsLive(asking, route);
      if (bar !== undefined) {
        throw refusal("denied", asking, `policy bars ${asking.source ?? "it"}, by ${bar}`);
      }
      return this.#planRoute(asking, route);
    }
    if (asking.naming === "serverName") return this.#planServerName(asking);
    throw refusal("no-route", asking, `no route matches ${asking.protocol}`);
  }

  /** The first route of the file that matches; behind those, a name that is registered now. */
  match(asking: Asking): RouteRule | undefined {
    return this.router.match(asking) ?? this.#live?.match(asking, this.#serving(asking.listener));
  }

  /** Whether HTTP that comes in there is routed request by request. */
  handles(listener: string): boolean {
    return this.#serving(listener) === "requests";
  }

  /** With which TLS ends here; undefined: it is passed on. Throws GateError "no-route": none has the client's name. */
  certificate(asking: Asking, plan: Plan): CertificateRule | undefined {
    if (asking.naming !== "serverName" || plan.kind !== "route" || !endsTls(plan.route)) return undefined;
    const found = this.router.certificate(asking);
    if (found && !found.pending) return found;
    const state = found ? "its certificate is not issued yet" : "no certificate has this name";
    throw new GateError(
      "no-route",
      "gate",
      `Cannot end TLS for ${JSON.stringify(asking.serverName)}: ${state}`,
    );
  }

  /** What refuses a request that came in TLS where TLS (`protocol`) for its host is passed on; undefined: it is not. */
  misdirected({ listener, target }: Asking, protocol: string): Misdirected | undefined {
    const route = this.match({
      ...{ listener, protocol, naming: "serverName", trusted: false, asksUser: false },
      ...{ target, serverName: target?.host },
    });
    if (route === undefined || endsTls(route)) return undefined;
    const state = `its TLS ended here, and ${route.place} passes TLS for ${JSON.stringify(target?.host)} on`;
    return new Misdirected("no-route", "client", `Cannot route a request: ${state}`);
  }

  /** The endpoints of an answer that may be dialed, all of a route's. None left throws GateError "denied". */
  permit(asking: Asking, plan: Plan, destination: Destination): readonly Endpoint[] {
    if (plan.kind === "route") return destination.endpoints;
    const permitted: Endpoint[] = [];
    let refused: Judgement | undefined;
    for (const endpoint of destination.endpoints) {
      const judgement = this.judgeEndpoint(asking, plan.target, destination, endpoint);
      if (judgement.verdict === "allow") permitted.push(endpoint);
      else refused ??= judgement;
    }
    if (permitted.length > 0) return permitted;
    if (refused === undefined) throw refusal("no-route", asking, "its name has no address");
    throw refusal("denied", asking, `none of its addresses is permitted, by ${refused.by}`);
  }

  /** One endpoint of an answer: by its address; where it is reached through another, by what is asked for there. */
  judgeEndpoint(
    asking: Asking,
    target: Target,
    destination: Pick<Destination, "completed">,
    endpoint: Endpoint,
  ): Judgement {
    const found = destination.completed === undefined ? target.host : nameFound(destination.completed);
    const request: Request = { target, completed: found === target.host ? undefined : found };
    if (endpoint.via === undefined && !endpoint.connected) {
      return this.policy.judge(asking, request, endpoint.address);
    }
    const asked = this.policy.judge(asking, request, "elsewhere");
    if (asked.verdict !== "allow" || endpoint.address.host === target.host) return asked;
    return this.policy.judge(asking, { target: endpoint.address }, "elsewhere");
  }

  /** What refuses now what was permitted before; undefined: nothing. */
  refuses({ asking, plan, completed, endpoint }: Right): string | undefined {
    if (asking.naming === "serverName" && !asking.trusted && !this.policy.allowsProtocol(asking.protocol)) {
      return `the default: no rule allows ${asking.protocol}`;
    }
    const { verdict, by } = plan.kind === "route"
      ? this.policy.judge(asking, { target: canonicalTarget(asking) }, "elsewhere")
      : endpoint
      ? this.judgeEndpoint(asking, plan.target, { completed }, endpoint)
      : this.policy.judge(asking, { target: plan.target }, "unresolved");
    return verdict === "deny" || (endpoint && verdict !== "allow") ? by : undefined;
  }

  /** The place of the deny that holds for who takes the route of a name that is registered now. */
  forbidsLive(asking: Asking, { live, to: [endpoint] }: RouteRule): string | undefined {
    return live === undefined ? undefined : this.policy.forbids(asking, endpoint.target);
  }

  /** Names that are registered are handled, unless the file has the listener's HTTP passed on. */
  #serving(listener: string): Serving {
    const { router } = this;
    if (router.handles(listener)) return "requests";
    if (!this.#live?.any || !router.isAsked(listener)) return "nothing";
    return router.passesRequests(listener) ? "bytes" : "requests";
  }

  /** The client names its target: policy judges what it asked for, whatever route it takes. */
  #planTarget(asking: Asking, route: RouteRule | undefined): Plan {
    if (asking.asksUser && asking.user === undefined) {
      throw refusal("unauthenticated", asking, "this listener serves users, and none is known");
    }
    const target = canonicalTarget(asking);
    if (route === undefined) return this.#planAsked(asking, target);
    const { verdict, by } = this.policy.judge(asking, { target }, "elsewhere");
    if (verdict !== "allow") throw refusal("denied", asking, `policy refuses it, by ${by}`);
    return this.#planRoute(asking, route);
  }

  /** TLS by a name that no route names: for this machine itself, or where a rule names the protocol. */
  #planServerName(asking: Asking): Plan {
    const name = askedName(asking);
    if (name === undefined || asking.target === undefined) {
      throw refusal("no-route", asking, "no route matches, and the client gave no name");
    }
    this.#requireUnhandled(asking);
    this.#requireForeign(asking);
    if (asking.asksUser) {
      throw refusal("unauthenticated", asking, "no route matches, and nobody can log in by SNI");
    }
    if (!asking.trusted && !this.policy.allowsProtocol(asking.protocol)) {
      throw refusal("no-route", asking, `no route matches, and no rule allows ${asking.protocol}`);
    }
    return this.#planAsked(asking, canonicalTarget(asking));
  }

  /** Whose requests are handled here is not looked for elsewhere; a rule for TLS means those whom no route names. */
  #requireUnhandled(asking: Asking): void {
    const handling = this.router.handling(asking), { host = "*" } = handling ?? {};
    if (!handling || host === "*" && this.policy.allowsProtocol(asking.protocol)) return;
    throw refusal("no-route", asking, `${handling.place} handles requests, and no certificate has this name`);
  }

  /** A name that this gate has a certificate of is no other host's: the trust of loopback does not send it out. */
  #requireForeign(asking: Asking): void {
    if (this.policy.allowsProtocol(asking.protocol) || !this.router.certificate(asking)) return;
    throw refusal("no-route", asking, "a certificate has this name, and no route matches");
  }

  #planAsked(asking: Asking, target: Target): Plan {
    const { verdict, by } = this.policy.judge(asking, { target }, "unresolved");
    if (verdict === "deny") throw refusal("denied", asking, `policy refuses it, by ${by}`);
    return { kind: "asked", target, verdict };
  }

  #planRoute(asking: Asking, route: RouteRule): Plan {
    const judgedInside = asking.naming === "serverName" && route.http !== undefined; // each request by its own route
    if (judgedInside || this.router.admits(route, asking.source)) return { kind: "route", route };
    const source = asking.source ?? "a client without an address";
    throw refusal("denied", asking, `${source} is not in the sources of ${route.place}`);
  }
}

/** Whether TLS by the name of such a route ends at this gate. */
export const endsTls = ({ tls, http }: RouteRule): boolean => tls !== undefined || http !== undefined;

/** The one spelling of what was asked for. Throws GateError "no-route": nothing has such a name. */
export function canonicalTarget(asking: Asking): Target {
  const { target } = asking;
  const host = target && canonicalHost(target.host);
  if (host === undefined) throw refusal("no-route", asking, "expected a name or an address");
  if (isUnixHost(host)) return { host, port: 0 };
  const port = target!.port;
  if (!(port >= 1 && port <= 65535)) throw refusal("no-route", asking, "expected a port from 1 to 65535");
  return { host, port };
}

function refusal(failure: Failure, { target, protocol, listener }: Asking, state: string): GateError {
  const what = target === undefined ? protocol : JSON.stringify(formatTarget(target)).slice(1, -1);
  return new GateError(failure, "gate", `Cannot connect ${what} from listener ${listener}: ${state}`);
}

/** A completed name in normal form; what is none is judged as it came, and matches no more than that. */
function nameFound(completed: string): string {
  return canonicalHost(completed) ?? completed;
}
