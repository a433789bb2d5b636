/** Why a connection goes where it goes: every rule that was looked at, as data that can be printed. */
import { formatTarget, type Target } from "./address.ts";
import type { Asking } from "./asking.ts";
import type { Destination } from "./contracts.ts";
import { canonicalTarget, type Decider, type Plan } from "./decide.ts";
import { formatDuration } from "./config/units.ts";
import { asGateError, causeChain, type Failure, GateError } from "./errors.ts";
import { describeAnswer } from "./filters.ts";
import type { RouteMiss } from "./match.ts";
import type { PolicyMiss, Where } from "./policy.ts";
import type { RouteRule } from "./snapshot.ts";

/** One rule and its answer. */
export interface Step {
  readonly about: "route" | "policy" | "address";
  /** The rule's place in the configuration; of an address, the address. */
  readonly place: string;
  readonly answer: "yes" | "no" | "maybe";
  readonly why: string;
}

export interface Explanation {
  readonly asking: Asking;
  readonly steps: readonly Step[];
  /** Where it would be dialed; empty: nowhere, and `refusal` tells why. */
  readonly endpoints: readonly string[];
  /** TLS ends here. */
  readonly termination?: ExplainedTermination;
  /** The gate answers the request itself, and how. */
  readonly answer?: string;
  /** The gate itself serves it: lines on who may come. */
  readonly served?: readonly string[];
  /** What the route asks of the request first; whether that is so is not known here. */
  readonly conditions?: readonly string[];
  /** A request that is sent as to a proxy: its first line, without the version. */
  readonly toProxy?: string;
  /** What becomes of the request that came inside of TLS. */
  readonly inside?: Explanation;
  readonly refusal?: { readonly failure: Failure; readonly message: string };
}

export interface ExplainedTermination {
  /** The place of the certificate. */
  readonly certificate: string;
  readonly names: readonly string[];
  /** ISO 8601; absent: an authority issues it, and when is not known here. */
  readonly expires?: string;
  /** What is inside comes in again at the same listener, and nothing is dialed for it yet. */
  readonly enters: boolean;
}

/** How a trusted proxy tells the scheme that a client asked by. */
export const FORWARDED_PROTO = "x-forwarded-proto";

/** Behind what is reached through a connection that is there now. */
const LIVE = "mesh (live)";

/** In place of the end of a certificate that only a running gate has. */
export const UNKNOWN_END = 0;

/** Rejects where a name is known and cannot be resolved; undefined: nobody knows it. */
export type Resolve = (target: Target) => Promise<Destination | undefined>;

const ROUTE_WHY = {
  listener: "it is for another listener",
  protocol: "it does not name this protocol",
  host: "its host is another",
  path: "another path",
  method: "another method",
  named: "it is for requests that ask by Host, not for those of a proxy",
  certificate: "TLS would end here, and no certificate has this name",
} as const;

/** `header NAME`, `query NAME`: the name alone is told, for values may be secrets. */
function whyMissed(miss: RouteMiss): string {
  if (Object.hasOwn(ROUTE_WHY, miss)) return ROUTE_WHY[miss as keyof typeof ROUTE_WHY];
  return `the request lacks its ${miss}, or has another value there`;
}

const POLICY_WHY: Readonly<Record<PolicyMiss, string>> = {
  listener: "its listener is another",
  protocol: "its protocol is another",
  user: "its user is another",
  identity: "nobody it names was proven",
  sources: "the source is not in its networks",
  hosts: "no host of it is this name",
  ports: "no port of it is this one",
  addresses: "the address is not in its networks",
  unnamed: "TLS without a route needs an allow that names the protocol",
  unresolved: "the addresses it resolves to decide",
  special: "this range is opened only by addresses inside it",
  own: "this gate itself is opened only by its address and port",
};

/** What is decided before anything is resolved: each route up to the one that matches, then policy. */
function explainPlan(decider: Decider, asking: Asking): Step[] {
  const steps: Step[] = decider.router.misses(asking).map(({ route, miss }) => ({
    about: "route",
    place: route.place,
    answer: miss === undefined ? "yes" : "no",
    why: miss === undefined ? "it matches" : whyMissed(miss),
  }));
  const found = decider.match(asking), routed = found !== undefined;
  if (found?.live !== undefined) {
    steps.push({ about: "route", place: found.place, answer: "yes", why: "it is registered now" });
  }
  const judged = asking.naming === "target" || (asking.naming === "serverName" && !routed);
  if (!judged || asking.target === undefined) return steps;
  return [...steps, ...explainPolicy(decider, asking, routed ? "elsewhere" : "unresolved")];
}

/** Decides as the engine would, resolves as it would, and dials nothing. `secure`: it came inside of TLS. */
export async function explain(
  decider: Decider,
  asking: Asking,
  resolve: Resolve,
  secure = false,
): Promise<Explanation> {
  const steps: Step[] = [];
  try {
    steps.push(...explainPlan(decider, asking));
    const plan = decider.plan(asking);
    const termination = terminationOf(decider, asking, plan);
    const answer = answerOf(asking, plan, secure);
    const conditions = asking.naming === "host" ? conditionsOf(plan) : undefined;
    if (answer !== undefined) return { asking, steps, endpoints: [], answer, conditions };
    const endpoints = await endpointsOf(decider, asking, plan, resolve, steps);
    return { asking, steps, termination, endpoints, conditions };
  } catch (thrown) {
    const { failure } = asGateError(thrown);
    return { asking, steps, endpoints: [], refusal: { failure, message: causeChain(thrown) } };
  }
}

/** What the gate itself says to a request; undefined: an upstream does. */
function answerOf({ naming, request }: Asking, plan: Plan, secure: boolean): string | undefined {
  if (naming !== "host" || plan.kind !== "route" || !plan.route.http) return undefined;
  if (plan.route.http.secureOnly && !secure && !toldSecure(request)) {
    return "308 to https, for it came in clear";
  }
  return describeAnswer(plan.route.http);
}

/** In the order in which they are looked at; undefined: there are none. */
function conditionsOf(plan: Plan): string[] | undefined {
  const { rateLimit, auth } = (plan.kind === "route" ? plan.route.http : undefined) ?? {};
  const conditions = [
    rateLimit && `at most ${rateLimit.requests} requests of one source in ${formatDuration(rateLimit.per)}`,
    auth?.basic && "a user name and a password",
    auth?.jwt && `a bearer token of ${auth.jwt.issuer}`,
    auth?.certificate && "a client certificate",
  ].filter((condition) => condition !== undefined);
  return conditions.length > 0 ? conditions : undefined;
}

/** By a trusted proxy: of others it has no such header. */
const toldSecure = (request: Asking["request"]): boolean =>
  request?.header(FORWARDED_PROTO)?.toLowerCase() === "https";

function terminationOf(decider: Decider, asking: Asking, plan: Plan): ExplainedTermination | undefined {
  const certificate = decider.certificate(asking, plan);
  if (plan.kind !== "route" || !certificate) return undefined;
  const { place, names, notAfter } = certificate;
  return {
    certificate: place,
    names,
    expires: notAfter === UNKNOWN_END ? undefined : new Date(notAfter).toISOString(),
    enters: entersAgain(plan.route),
  };
}

const entersAgain = ({ to, http }: RouteRule): boolean => http !== undefined || to.length === 0;

async function endpointsOf(
  decider: Decider,
  asking: Asking,
  plan: Plan,
  resolve: Resolve,
  steps: Step[],
): Promise<string[]> {
  if (plan.kind === "asked") {
    const found = await known(plan.target, resolve);
    steps.push(...explainAddresses(decider, asking, plan.target, found));
    return decider.permit(asking, plan, found).map(formatEndpoint);
  }
  if (asking.naming === "serverName" && entersAgain(plan.route)) return []; // each request has a route of its own
  const { to, http } = plan.route;
  if (http?.files) return [http.files.directory];
  if (plan.route.live !== undefined) return to.map(({ target }) => `${formatTarget(target)} ${LIVE}`);
  const endpoints: string[] = [];
  for (const { target, secure } of to) {
    const found = (await known(target, resolve)).endpoints.map(formatEndpoint);
    endpoints.push(...secure ? found.map((endpoint) => `${endpoint} in tls`) : found);
  }
  return endpoints;
}

async function known(target: Target, resolve: Resolve): Promise<Destination> {
  const found = await resolve(target);
  if (found !== undefined) return found;
  const what = formatTarget(target);
  throw new GateError("no-route", "gate", `Cannot connect to ${what}: nobody knows the name`);
}

/** The rules up to the first that applies; where none does, what decides instead. */
function explainPolicy(decider: Decider, asking: Asking, where: Where): Step[] {
  let target: Target;
  try {
    target = canonicalTarget(asking);
  } catch {
    return []; // plan refuses it with the same words
  }
  const steps: Step[] = [];
  for (const { by, verdict, miss } of decider.policy.misses(asking, { target }, where)) {
    const answer = miss === undefined ? "yes" : miss === "unresolved" ? "maybe" : "no";
    steps.push({ about: "policy", place: by, answer, why: miss === undefined ? verdict : POLICY_WHY[miss] });
    if (miss === undefined) return steps;
  }
  const { by, verdict } = decider.policy.judge(asking, { target }, where);
  const answer = verdict === "allow" ? "yes" : verdict === "deny" ? "no" : "maybe";
  return [...steps, { about: "policy", place: by, answer, why: verdict }];
}

function explainAddresses(decider: Decider, asking: Asking, target: Target, found: Destination): Step[] {
  return found.endpoints.map((endpoint) => {
    const { verdict, by } = decider.judgeEndpoint(asking, target, found, endpoint);
    const answer = verdict === "allow" ? "yes" : "no";
    return { about: "address", place: formatEndpoint(endpoint), answer, why: `${verdict} by ${by}` };
  });
}

function formatEndpoint(
  { address, via, layers, connected, user, identity }: Destination["endpoints"][number],
): string {
  if (connected) return `${formatTarget(address)} ${LIVE}`;
  const spoken = layers.length > 0 ? ` in ${layers.join(" in ")}` : "";
  const login = user === undefined ? "" : ` as ${user}`;
  const met = identity === undefined ? "" : ` (which has to be ${identity})`;
  return `${formatTarget(address)}${spoken}${
    via === undefined ? "" : ` by ${formatTarget(via)}`
  }${login}${met}`;
}
