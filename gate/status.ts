/** What `/status` tells: the state of a running gate as plain data. */
import type { NameState, OrderCounts } from "./acme/agent.ts";
import { CertificateIndex } from "./certificate_index.ts";
import type { Configuration } from "./config/configuration.ts";
import { type Durations, NO_DURATIONS, quantile } from "./durations.ts";
import type { EndpointHealth } from "./health.ts";
import type { ConnectionLimits } from "./limits.ts";
import { formatTarget } from "./address.ts";
import type {
  CertificateState,
  EndpointState,
  EngineState,
  ListenerState,
  Population,
  RequestState,
  Status,
  Trial,
} from "./operations.ts";
import type { Bound } from "./orders.ts";
import type { ReloadHistory } from "./reloads.ts";
import { PROXIED, STATUS_CLASSES, UNROUTED } from "./request_counts.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Tally } from "./tally.ts";
import { VERSION } from "./version.ts";

/** Everything there is to tell. */
export interface Facts {
  readonly config: Configuration;
  readonly files: readonly string[];
  /** Names whose certificates an authority issues, and what became of the orders. */
  readonly names: readonly NameState[];
  readonly orders: OrderCounts;
  readonly snapshot: Snapshot;
  readonly listening: readonly Bound[];
  readonly engines: readonly EngineState[];
  readonly limits: ConnectionLimits;
  readonly health: EndpointHealth;
  readonly tally: Tally;
  readonly population: Population;
  readonly reloads: ReloadHistory;
  readonly trial: Trial | undefined;
  /** Since the epoch, ms. */
  readonly startedAt: number;
  readonly draining: boolean;
  /** Lines of the log that nobody took. */
  readonly linesLost: number;
}

export function statusOf(facts: Facts): Status {
  const { startedAt, draining, files, reloads, trial, engines, limits, tally } = facts;
  const { ended, limitHits, authFailures } = tally.status();
  return {
    version: VERSION,
    startedAt: new Date(startedAt).toISOString(),
    draining,
    configuration: {
      files,
      lastGood: reloads.lastGood || undefined,
      lastReload: reloads.last &&
        { ...reloads.last, at: new Date(reloads.last.at).toISOString() },
      trial: trial && { id: trial.id, left: trial.left },
    },
    listeners: listenerStates(facts),
    engines,
    endpoints: endpointStates(facts),
    requests: requestStates(facts),
    certificates: [...certificateStates(facts.config), ...facts.names.map(nameState)],
    connections: limits.connections,
    limitHits,
    authFailures: authFailures.reduce((sum, { count }) => sum + count, 0),
    ended,
  };
}

function listenerStates({ config, snapshot, listening, limits, tally }: Facts): ListenerState[] {
  const { ended, bytes } = tally.status();
  return Object.values(config.listeners).map(({ name, protocols }) => {
    const own = ended.filter(({ listener }) => listener === name);
    return {
      listener: name,
      address: listening.filter(({ listener }) => listener === name).map(({ address }) => address).join(", "),
      protocols,
      active: limits.ofListener(snapshot.listeners[name].number),
      ended: own.reduce((sum, { count }) => sum + count, 0),
      up: bytes[name]?.up ?? 0,
      down: bytes[name]?.down ?? 0,
    };
  });
}

/** Keys are in none of it. */
function certificateStates({ certificates }: Pick<Configuration, "certificates">): CertificateState[] {
  const index = new CertificateIndex(certificates);
  return certificates.map((certificate) => ({
    source: "file",
    names: certificate.names.filter((name) => index.of(name) === certificate),
    file: certificate.file,
    issuer: certificate.issuer,
    expires: new Date(certificate.notAfter).toISOString(),
    fingerprint: certificate.fingerprint,
  }));
}

function nameState({ name, file, issued, next, failure }: NameState): CertificateState {
  const at = (ms: number) => new Date(ms).toISOString();
  return {
    source: "acme",
    names: [name],
    file,
    ...issued && {
      issuer: issued.facts.issuer,
      expires: at(issued.facts.notAfter),
      fingerprint: issued.facts.fingerprint,
    },
    nextAttempt: next === undefined ? undefined : at(next),
    failure,
  };
}

function endpointStates({ snapshot, health }: Facts): EndpointState[] {
  return snapshot.routes.flatMap(({ place, to }) =>
    to.map((endpoint) => ({
      route: place,
      endpoint: formatTarget(endpoint.target),
      ...health.state(endpoint),
    }))
  );
}

/** Of every route whose requests are handled one by one; what no route took where there was any. */
function requestStates({ snapshot, tally }: Facts): RequestState[] {
  const counted = new Map(tally.status().requests.map((requests) => [requests.route, requests]));
  const routes = snapshot.routes.filter(({ http }) => http).map(({ place, label }) =>
    [place, label] as const
  );
  const others = [PROXIED, UNROUTED].filter((label) => counted.has(label)).map((label) =>
    [label, label] as const
  );
  return [...routes, ...others].map(([route, label]) => {
    const { statuses = [], inFlight = 0, up = 0, down = 0, whole = NO_DURATIONS } = counted.get(label) ?? {};
    const classes = STATUS_CLASSES.map((name, at) => [name, statuses[at] ?? 0] as const);
    return {
      route,
      label,
      active: inFlight,
      statuses: Object.fromEntries(classes) as RequestState["statuses"],
      up,
      down,
      latency: latencyOf(whole),
    };
  });
}

/** To a tenth of a millisecond: buckets are not exact to more. */
function latencyOf(whole: Durations): RequestState["latency"] {
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(whole, share));
  const tenths = (ms: number) => Math.round(ms * 10) / 10;
  return p50 === undefined || p99 === undefined ? undefined : { p50: tenths(p50), p99: tenths(p99) };
}
