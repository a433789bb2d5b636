/** Routes that cannot match, and connections that nothing routes. */
import type { Naming, Protocols } from "../contracts.ts";
import { trustsItsMachine } from "./check_listeners.ts";
import { OwnListeners, reportLoop } from "./check_loops.ts";
import { isListener } from "./check_names.ts";
import { checkRequests } from "./check_requests.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import { Coverage, type Kind, type Speakers } from "./coverage.ts";
import type { RouteMatch } from "./left_out.ts";
import { protocolsNaming } from "./naming.ts";
import type { Findings } from "./problems.ts";
import type { Located, Part } from "./read.ts";
import { nodeAt } from "./tree.ts";

type Listeners = Part<Map<string, Located<ListenerConfiguration>>>;

export function checkRoutes(
  routes: Part<Located<RouteMatch>[]>,
  listeners: Listeners,
  protocols: Protocols,
  findings: Findings,
  /** Of policy: names of protocols that some allow rule gives. */
  allowed: ReadonlySet<string>,
): void {
  const speakers = speakersOf(listeners);
  const covered = new Coverage(speakers);
  const own = new OwnListeners(Array.from(listeners.items.values(), ({ value }) => value));
  checkRequests(routes.items, protocols, findings);
  checkMirrors(routes.items, own, findings);
  const known = routes.items.filter(({ value }) => isKnown(value, protocols, findings));
  for (const { path, value } of known) {
    const kinds = kindsOf(value, listeners, speakers, protocols);
    const goesOn = value.tls === undefined ? value.to ?? [] : []; // what was inside of TLS is something else
    for (const [i, { target }] of goesOn.entries()) {
      const name = own.at(target);
      const back = name !== undefined && passedOn(kinds, name, listeners, protocols)
        .some((kind) => !covered.covers(kind, value, protocols));
      if (back) reportLoop(name, path[0] === "listeners" ? path : [...path, "to"], i, findings);
    }
    const earlier = covered.add(value, kinds, protocols);
    const certain = value.listener === undefined ? listeners.whole : listeners.items.has(value.listener);
    if (!certain) continue;
    if (kinds.length === 0) findings.error(path, `can never match: ${whyNever(value, listeners, protocols)}`);
    else if (earlier) findings.error(path, `can never match: ${earlier} takes all of it before`);
  }
  if (routes.whole && known.length === routes.items.length) {
    const handled = known.map(({ value }) => value).filter(({ http, protocol }) => http && !protocol);
    checkUnrouted(covered, handled, listeners, protocols, findings, allowed);
  }
}

/** A copy that came in again would make another one. */
function checkMirrors(
  routes: readonly Located<RouteMatch>[],
  own: OwnListeners,
  findings: Findings,
): void {
  for (const { path, value } of routes) {
    const name = value.http?.mirror && own.at(value.http.mirror);
    if (name !== undefined) {
      findings.expected([...path, "mirror"], `a target that is not listener ${name} itself`);
    }
  }
}

/** Whether the listener and the protocol of a route are there, and go together with how it handles them. */
function isKnown(
  { protocol, listener, http }: RouteMatch,
  protocols: Protocols,
  findings: Findings,
): boolean {
  return (protocol === undefined || Object.hasOwn(protocols, protocol)) &&
    (!http || protocol === undefined || protocols[protocol].naming === "host") &&
    (listener === undefined || isListener(listener, findings.root));
}

/** What comes in and names no target needs a route; what names its server does, where nobody may ask for others. */
function checkUnrouted(
  covered: Coverage,
  handled: readonly RouteMatch[],
  listeners: Listeners,
  protocols: Protocols,
  findings: Findings,
  allowed: ReadonlySet<string>,
): void {
  // Who logs in may offer names: those are routes of every listener.
  const offered = listeners.items.values().some(({ value: { name: listener, protocols: listed } }) =>
    listed.some((protocol) => protocols[protocol].logins && !covered.has({ listener, protocol }))
  );
  for (const { path, value } of listeners.items.values()) {
    const { name: listener, protocols: listed } = value;
    const proxy = listed.some((name) => protocols[name].naming === "target");
    const ending = listed.some((name) => protocols[name].naming === "host") && // or check_tls.ts tells why not
      handled.some((route) => (route.listener ?? listener) === listener);
    for (const protocol of listed) {
      if (covered.has({ listener, protocol })) continue;
      const { naming, sniff, unrouted } = protocols[protocol];
      if (unrouted) continue; // the gate itself serves it
      if (naming === "serverName" && ending || offered && naming !== "nothing") continue;
      const closed = "such connections are closed";
      if (naming === "host" && nodeAt(findings.root, ["acme"])) continue; // it is there for the authority
      if (sniff === undefined && naming === "nothing") {
        const needed = `a route { listener: ${listener}, to: ... }, or to in place of protocols`;
        findings.error(path, `[${protocol}] needs ${needed}`);
      } else if (naming === "nothing" || (naming === "host" && !proxy)) {
        findings.warn(path, `no route takes ${protocol}: ${closed}`);
      } else if (naming === "serverName" && value.users) {
        findings.warn(path, `no route takes ${protocol}, and its clients cannot log in as users: ${closed}`);
      } else if (naming === "serverName" && !trustsItsMachine(value) && !allowed.has(protocol)) {
        findings.warn(path, `no route takes ${protocol}, and no allow rule of policy names it: ${closed}`);
      }
    }
  }
}

/** The kinds of connections a route is asked about: as gate/match.ts matches them. */
function kindsOf(
  route: RouteMatch,
  listeners: Listeners,
  speakers: Speakers,
  protocols: Protocols,
): Kind[] {
  const { listener } = route;
  const spoken = listener === undefined
    ? Array.from(speakers.keys())
    : listeners.items.get(listener)?.value.protocols ?? [];
  return spoken.filter((protocol) => takes(route, protocol, protocols[protocol].naming))
    .map((protocol) => ({ listener, protocol }));
}

/** The kinds that come in at the listener with the very bytes that were sent there, and are of the route's again. */
function passedOn(
  kinds: readonly Kind[],
  name: string,
  listeners: Listeners,
  protocols: Protocols,
): Kind[] {
  return kinds.filter(({ listener = name, protocol }) =>
    listener === name && protocols[protocol].naming !== "target" &&
    listeners.items.get(name)!.value.protocols.includes(protocol)
  ).map(({ protocol }) => ({ listener: name, protocol }));
}

function speakersOf(listeners: Listeners): Speakers {
  const speakers = new Map<string, string[]>();
  for (const [name, { value }] of listeners.items) {
    for (const protocol of value.protocols) {
      const names = speakers.get(protocol);
      if (names) names.push(name);
      else speakers.set(protocol, [name]);
    }
  }
  return speakers;
}

function takes(route: RouteMatch, protocol: string, naming: Naming): boolean {
  if (route.http) return naming === "host" && (route.protocol ?? protocol) === protocol;
  if (route.protocol === undefined ? naming === "target" || naming === "host" : route.protocol !== protocol) {
    return false;
  }
  return route.host === undefined || naming !== "nothing";
}

/** Of a route that takes no kind of connection. */
function whyNever(
  { listener, protocol, host, http }: RouteMatch,
  listeners: Listeners,
  protocols: Protocols,
) {
  const lacks = (what: string) =>
    listener === undefined ? `no listener has ${what}` : `${listener} has no ${what}`;
  if (protocol !== undefined) {
    const named = host === undefined || protocols[protocol].naming !== "nothing";
    return named ? lacks(protocol) : `${protocol} names no host`;
  }
  if (http) return lacks(protocolsNaming("host", protocols).join(", "));
  const spoken = Array.from(listeners.items.values(), ({ value }) => value)
    .filter(({ name }) => listener === undefined || listener === name).flatMap((value) => value.protocols);
  if (host !== undefined) {
    const byName = protocolsNaming("serverName", protocols).join(", ");
    const requests = spoken.some((name) => protocols[name].naming === "host");
    const hint = requests ? "; for requests its targets begin with http://" : "";
    return `a host without protocol is for ${byName}, and ${lacks(byName)}${hint}`;
  }
  return `for ${Array.from(new Set(spoken)).join(", ")} a route has to name the protocol`;
}
