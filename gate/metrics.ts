/**
 * The metrics: one table, whose names, types and labels are a promise to users. No label holds what a client sent: their
 * values are words of the configuration and of this program, so there are only so many.
 */
import { LIMIT_NAMES } from "./errors.ts";
import { type Family, familyText, histogramText, type Sample, type Series } from "./exposition.ts";
import { authSamples, byteSamples, connectionSamples, measure, type Measured } from "./measured.ts";
import type { Proof } from "./identity/identity.ts";
import type { ReloadOutcome } from "./operations.ts";
import { requestByteSamples, requestSamples } from "./request_samples.ts";
import type { Facts } from "./status.ts";

/** The text of `/metrics`. */
export const metricsText = (facts: Facts): string => measuredText(measure(facts));

/** The same of plain data. */
export const measuredText = (measured: Measured): string =>
  METRICS.map((metric) =>
    "samples" in metric
      ? familyText(metric, distinct(metric.samples(measured)))
      : histogramText(metric, metric.series(measured))
  ).join("");

/** A metric as it is documented, and where its values come from. */
export type Metric =
  & Family
  & ({ samples(measured: Measured): readonly Sample[] } | { series(measured: Measured): readonly Series[] });

const metric = (
  type: "counter" | "gauge",
  name: string,
  labels: readonly string[],
  help: string,
  samples: (measured: Measured) => readonly Sample[],
): Metric => ({ type, name, labels, help, samples });

const histogram = (
  name: string,
  labels: readonly string[],
  help: string,
  series: (measured: Measured) => readonly Series[],
): Metric => ({ type: "histogram", name, labels, help, series });

const one = (value: number | boolean): readonly Sample[] => [[Number(value)]];
const seconds = (ms: number): number => ms / 1000;

/** Those that a connection may have. */
const PROOFS: readonly Proof[] = ["ssh key", "ssh certificate", "token", "tls certificate"];
const RESULTS: readonly ReloadOutcome["result"][] = ["applied", "unchanged", "refused"];

export const METRICS: readonly Metric[] = [
  metric(
    "gauge",
    "ugate_build_info",
    ["version", "deno"],
    "Always 1; which program this is.",
    ({ status }) => [
      [1, status.version, Deno.version.deno],
    ],
  ),
  metric(
    "gauge",
    "ugate_start_time_seconds",
    [],
    "When the gate started, in seconds since the epoch.",
    ({ status }) => one(seconds(Date.parse(status.startedAt))),
  ),
  metric(
    "gauge",
    "ugate_draining",
    [],
    "1 while no new connections are taken because the gate is about to end.",
    ({ status }) => one(status.draining),
  ),
  metric(
    "gauge",
    "ugate_connections_active",
    ["listener"],
    "Connections now.",
    ({ status }) => status.listeners.map(({ listener, active }) => [active, listener]),
  ),
  metric(
    "counter",
    "ugate_connections_total",
    ["listener", "protocol", "outcome", "side"],
    "Connections that are over. The outcome is ok or why one failed, the side who caused that.",
    connectionSamples,
  ),
  metric(
    "counter",
    "ugate_bytes_total",
    ["listener", "direction"],
    "Bytes carried, those of live connections too: in from clients, out to them.",
    byteSamples,
  ),
  histogram(
    "ugate_sniff_seconds",
    [],
    "How long telling a protocol from its first bytes took.",
    ({ totals }) => [[totals.sniff]],
  ),
  histogram(
    "ugate_dial_seconds",
    [],
    "How long it took until a dial stood.",
    ({ totals }) => [[totals.dial]],
  ),
  metric(
    "counter",
    "ugate_requests_total",
    ["route", "status"],
    "Requests that are over, by the class of their status: 2xx; none: nobody was there to be answered.",
    requestSamples,
  ),
  metric(
    "gauge",
    "ugate_requests_in_flight",
    ["route"],
    "Requests now. One that became a WebSocket is over.",
    ({ totals, requestRoutes }) => [
      ...totals.requests.map(({ route, inFlight }): Sample => [inFlight, route]),
      ...requestRoutes.map((route): Sample => [0, route]),
    ],
  ),
  metric(
    "counter",
    "ugate_retries_total",
    ["route"],
    "How often requests were sent again, by the `retries` of their route.",
    ({ totals, requestRoutes }) => [
      ...totals.requests.map(({ route, retries }): Sample => [retries, route]),
      ...requestRoutes.map((route): Sample => [0, route]),
    ],
  ),
  metric(
    "counter",
    "ugate_request_bytes_total",
    ["route", "direction"],
    "Bytes of the content of requests (in) and of responses (out) that are over.",
    requestByteSamples,
  ),
  histogram(
    "ugate_request_duration_seconds",
    ["route"],
    "From the head of a request until its response was through.",
    ({ totals }) => totals.requests.map(({ route, whole }): Series => [whole, route]),
  ),
  histogram(
    "ugate_request_wait_seconds",
    ["route"],
    "From the head of a request until the head of its response had come.",
    ({ totals }) => totals.requests.map(({ route, waited }): Series => [waited, route]),
  ),
  metric(
    "counter",
    "ugate_limit_hits_total",
    ["limit"],
    "How often a limit was hit.",
    ({ totals }) => LIMIT_NAMES.map((limit) => [totals.limitHits[limit] ?? 0, limit]), // as 0, before it bites
  ),
  metric(
    "counter",
    "ugate_auth_failures_total",
    ["listener", "protocol"],
    "Wrong users or passwords.",
    authSamples,
  ),
  metric(
    "gauge",
    "ugate_endpoint_active",
    ["route", "endpoint"],
    "Connections to an endpoint now.",
    ({ endpoints }) => endpoints.map(({ route, endpoint, active }) => [active, route, endpoint]),
  ),
  metric(
    "gauge",
    "ugate_endpoint_usable",
    ["route", "endpoint"],
    "0 while an endpoint is left out because it failed.",
    ({ endpoints }) => endpoints.map(({ route, endpoint, usable }) => [Number(usable), route, endpoint]),
  ),
  metric(
    "gauge",
    "ugate_proven_connections",
    ["proof"],
    "Connections now that have proven who is there, by what did.",
    ({ population: { proven } }) => PROOFS.map((proof) => [proven[proof] ?? 0, proof]),
  ),
  metric(
    "gauge",
    "ugate_nodes",
    [],
    "Connections now through which others are reached by name.",
    ({ population }) => one(population.nodes),
  ),
  metric(
    "gauge",
    "ugate_node_names",
    [],
    "Names with their ports that are reached so.",
    ({ population }) => one(population.names),
  ),
  metric(
    "gauge",
    "ugate_node_streams",
    [],
    "Streams to these names now.",
    ({ population }) => one(population.streams),
  ),
  metric(
    "gauge",
    "ugate_certificate_expiry_timestamp_seconds",
    ["name"],
    "When the certificate of a name expires, in seconds since the epoch.",
    ({ status }) =>
      status.certificates.flatMap(({ names, expires }) =>
        expires === undefined ? [] : names.map((name): Sample => [seconds(Date.parse(expires)), name])
      ),
  ),
  metric(
    "counter",
    "ugate_acme_orders_total",
    ["result"],
    "Certificates that were ordered: issued, or failed.",
    ({ orders }) => [[orders.issued, "issued"], [orders.failed, "failed"]],
  ),
  metric(
    "counter",
    "ugate_config_reloads_total",
    ["result"],
    "Reloads and trials: applied, unchanged (the same configuration), or refused.",
    ({ reloads }) => RESULTS.map((result) => [reloads.counts[result], result]),
  ),
  metric(
    "gauge",
    "ugate_config_last_reload_success",
    [],
    "0 while what is on disk cannot hold: refused, or the gate started with --last-good.",
    ({ reloads }) => one(reloads.diskHolds),
  ),
  metric(
    "gauge",
    "ugate_config_last_reload_timestamp_seconds",
    [],
    "When what is on disk was read last, refused or not, in seconds since the epoch.",
    ({ reloads, status }) => one(seconds(reloads.last?.at ?? Date.parse(status.startedAt))),
  ),
  metric(
    "gauge",
    "ugate_config_trial",
    [],
    "1 while a configuration holds that nobody confirmed, even when its time is over.",
    ({ status }) => one(status.configuration.trial !== undefined),
  ),
  metric(
    "gauge",
    "ugate_engines",
    [],
    "Engine threads that run.",
    ({ status }) => one(status.engines.filter(({ alive }) => alive).length),
  ),
  metric(
    "counter",
    "ugate_engine_restarts_total",
    [],
    "How often engine threads were started again after they died.",
    ({ status }) => one(status.engines.reduce((sum, { restarts }) => sum + restarts, 0)),
  ),
  metric(
    "counter",
    "ugate_log_lines_lost_total",
    [],
    "Lines of the log that nobody took in time.",
    ({ linesLost }) => one(linesLost),
  ),
  metric("gauge", "process_open_fds", [], "Open file descriptors.", ({ usage }) => one(usage.openFiles)),
  metric(
    "gauge",
    "process_max_fds",
    [],
    "Most open file descriptors.",
    ({ usage }) => one(usage.mostOpenFiles),
  ),
  metric(
    "gauge",
    "process_resident_memory_bytes",
    [],
    "Resident memory.",
    ({ usage }) => one(usage.residentMemory),
  ),
  metric(
    "counter",
    "process_cpu_seconds_total",
    [],
    "User and system CPU time.",
    ({ usage }) => one(usage.cpu),
  ),
];

/** One sample for the same labels, the first: two would make the whole text invalid. */
function distinct(samples: readonly Sample[]): Sample[] {
  const seen = new Set<string>();
  return samples.filter(([, ...labels]) => {
    const key = labels.join("\n");
    return !seen.has(key) && seen.add(key);
  });
}
