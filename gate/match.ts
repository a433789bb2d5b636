/** Which route a connection takes: the first of the file that matches, found without trying each. */
import { type Cidr, cidrHas, hostMatches, normalName, parseIp } from "./address.ts";
import { askedName, type Asking } from "./asking.ts";
import { CertificateIndex } from "./certificate_index.ts";
import { HostIndex } from "./host_index.ts";
import { networks } from "./networks.ts";
import { type RequestMiss, requestMiss, RequestRoutes } from "./request_routes.ts";
import { matchedBy } from "./route_labels.ts";
import type { CertificateRule, RouteRule, Snapshot } from "./snapshot.ts";

/**
 * What of a route a connection does not meet; `named`: it handles requests, and this one's client named the target;
 * `certificate`: TLS would end here, and none has the name.
 */
export type RouteMiss = RequestMiss | "protocol" | "named" | "certificate";

/** What has to be spoken where TLS ends for requests: it comes in again. */
const REQUESTS = "http";

/** Routes of one listener (or of all) and one protocol (or of none named), by their place in the file. */
interface Table {
  readonly hosts: HostIndex;
  hostless: number;
}

/**
 * The routes of one snapshot. A match costs a few hash look-ups, however many routes there are.
 *
 * Where the client names its target, and for HTTP, only a route that names the protocol applies. A route with a host
 * and no protocol is TLS's alone. A host of `*` covers everything but an address named by the client. Where a listener's
 * requests are handled as HTTP, each finds a route of its own; and TLS ends there for the hosts of such routes, if there
 * is a certificate of the name that is asked for.
 */
export class Router {
  readonly #routes: readonly RouteRule[];
  readonly #tables = new Map<string | undefined, Map<string | undefined, Table>>();
  readonly #sources = new Map<RouteRule, readonly Cidr[]>();
  readonly #requests = new RequestRoutes();
  /** Routes that handle requests, as TLS finds them: by listener. */
  readonly #ending = new Map<string | undefined, Table>();
  readonly #certificates: CertificateIndex<CertificateRule>;
  /** Made when somebody asks. */
  #alike: Map<string, RouteRule[]> | undefined;
  /** Where what is inside of TLS may be a request. */
  readonly #requested: ReadonlySet<string>;

  constructor(snapshot: Snapshot) {
    this.#routes = snapshot.routes;
    this.#certificates = new CertificateIndex(snapshot.certificates);
    const speaking = Object.values(snapshot.listeners).filter(({ protocols }) =>
      protocols.includes(REQUESTS)
    );
    this.#requested = new Set(speaking.map(({ name }) => name));
    for (const [order, route] of snapshot.routes.entries()) {
      if (route.sources !== undefined) this.#sources.set(route, networks(route.sources, route.place));
      if (route.http === undefined) add(this.#tableFor(route.listener, route.protocol), route, order);
      else {
        this.#requests.add(route);
        if (endsForRequests(route)) add(tableOf(this.#ending, route.listener), route, order);
      }
    }
  }

  /** The first route in file order that matches; its `sources` are asked by admits. */
  match(asking: Asking): RouteRule | undefined {
    const name = askedName(asking);
    if (asking.naming === "host" && this.handles(asking.listener)) return this.#requests.match(asking, name);
    const first = Math.min(
      this.#first(this.#tables.get(asking.listener), asking, name),
      this.#first(this.#tables.get(undefined), asking, name),
      this.#mayEnd(asking) ? this.#firstEnding(asking, name) : Infinity,
    );
    return this.#routes[first];
  }

  /** With which TLS may end here for who asks; undefined: none has the name. */
  certificate({ serverName }: Asking): CertificateRule | undefined {
    return this.#certificates.find(serverName === undefined ? undefined : normalName(serverName)); // an IP is no name
  }

  /** The route that handles requests for whom TLS would end here, whether there is a certificate of the name or not. */
  handling(asking: Asking): RouteRule | undefined {
    if (!this.#requested.has(asking.listener)) return undefined;
    return this.#routes[this.#firstEnding(asking, askedName(asking))];
  }

  /** Whether HTTP that comes in there is routed request by request. */
  handles(listener: string): boolean {
    return this.#requests.handles(listener);
  }

  /** Whether it speaks HTTP, and a route passes that on as it comes. */
  passesRequests(listener: string): boolean {
    return this.#tables.get(listener)?.has(REQUESTS) || this.#tables.get(undefined)?.has(REQUESTS) || false;
  }

  /** Whether a listener speaks HTTP. */
  isAsked(listener: string): boolean {
    return this.#requested.has(listener);
  }

  /** Routes that match by the same as one of an earlier snapshot. */
  alike(route: RouteRule): readonly RouteRule[] {
    this.#alike ??= Map.groupBy(this.#routes, matchedBy);
    return this.#alike.get(matchedBy(route)) ?? [];
  }

  get routes(): readonly RouteRule[] {
    return this.#routes;
  }

  /** Whether the route's `sources` hold the source (an IP literal; none: a unix socket, which no network holds). */
  admits(route: RouteRule, source: string | undefined): boolean {
    const sources = this.#sources.get(route);
    if (sources === undefined) return true;
    const ip = source === undefined ? undefined : parseIp(source);
    return ip !== undefined && sources.some((cidr) => cidrHas(cidr, ip));
  }

  /** The routes up to the one that matches, each with what keeps it from that. Throws as `match`. */
  misses(asking: Asking): { route: RouteRule; miss?: RouteMiss }[] {
    const found = this.match(asking);
    const seen = found === undefined ? this.#routes : this.#routes.slice(0, this.#routes.indexOf(found) + 1);
    return seen.map((route) => ({ route, miss: this.#miss(route, asking) }));
  }

  #miss(route: RouteRule, asking: Asking): RouteMiss | undefined {
    if (route.http === undefined || asking.naming !== "serverName") return routeMiss(route, asking);
    if (isElsewhere(route, asking)) return "listener";
    if (!endsForRequests(route) || !this.#requested.has(asking.listener)) return "protocol";
    return hostMiss(route, asking) ?? (this.certificate(asking) ? undefined : "certificate");
  }

  /** Whether TLS may end here for requests. */
  #mayEnd(asking: Asking): boolean {
    return asking.naming === "serverName" && this.#ending.size > 0 && this.#requested.has(asking.listener) &&
      this.certificate(asking) !== undefined;
  }

  #firstEnding(asking: Asking, name: string | undefined): number {
    return Math.min(
      firstOf(this.#ending.get(asking.listener), asking, name),
      firstOf(this.#ending.get(undefined), asking, name),
    );
  }

  #first(
    tables: Map<string | undefined, Table> | undefined,
    asking: Asking,
    name: string | undefined,
  ): number {
    const named = firstOf(tables?.get(asking.protocol), asking, name);
    return needsProtocol(asking) ? named : Math.min(named, firstOf(tables?.get(undefined), asking, name));
  }

  #tableFor(listener: string | undefined, protocol: string | undefined): Table {
    let tables = this.#tables.get(listener);
    if (tables === undefined) this.#tables.set(listener, tables = new Map());
    return tableOf(tables, protocol);
  }
}

/** TLS ends for whom such a route is; one that names a protocol is for that in clear alone. */
const endsForRequests = ({ http, protocol }: RouteRule): boolean =>
  http !== undefined && protocol === undefined;

function tableOf(tables: Map<string | undefined, Table>, key: string | undefined): Table {
  let table = tables.get(key);
  if (table === undefined) tables.set(key, table = { hosts: new HostIndex(), hostless: Infinity });
  return table;
}

function add(table: Table, { host }: RouteRule, order: number): void {
  if (host !== undefined) table.hosts.add(host, order);
  else table.hostless = Math.min(table.hostless, order);
}

/** What keeps a route from matching, for those who ask why; undefined: it matches. */
export function routeMiss(route: RouteRule, asking: Asking): RouteMiss | undefined {
  if (route.http !== undefined) {
    if (asking.naming === "host") return requestMiss(route, asking, askedName(asking));
    return asking.naming === "target" && asking.protocol === REQUESTS ? "named" : "protocol";
  }
  if (isElsewhere(route, asking)) return "listener";
  if (route.protocol === undefined ? needsProtocol(asking) : route.protocol !== asking.protocol) {
    return "protocol";
  }
  return hostMiss(route, asking);
}

const isElsewhere = ({ listener }: RouteRule, asking: Asking): boolean =>
  listener !== undefined && listener !== asking.listener;

function hostMiss(route: RouteRule, asking: Asking): "host" | undefined {
  if (route.host === undefined) return undefined;
  const name = askedName(asking);
  if (name !== undefined && asking.naming !== "nothing") {
    return hostMatches(route.host, name) ? undefined : "host";
  }
  return route.host === "*" && coversNameless(asking) ? undefined : "host";
}

function firstOf(table: Table | undefined, asking: Asking, name: string | undefined): number {
  if (table === undefined) return Infinity;
  if (asking.naming === "nothing") return table.hostless;
  if (name !== undefined) return Math.min(table.hostless, table.hosts.first(name));
  return coversNameless(asking) ? Math.min(table.hostless, table.hosts.all) : table.hostless;
}

function needsProtocol(asking: Asking): boolean {
  return asking.naming === "target" || asking.naming === "host";
}

/** Whether `*` covers a connection without a name: a ClientHello without SNI, a Host that is an address. */
function coversNameless(asking: Asking): boolean {
  return asking.naming === "serverName" || asking.naming === "host";
}
