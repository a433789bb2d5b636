import { LIMIT_NAMES } from "../../gate/errors.ts";
import { readUsage } from "../../gate/engine/usage.ts";
import { DURATIONS } from "../../gate/durations.ts";
import type { JournalBatch } from "../../gate/journal.ts";
import type { Measured } from "../../gate/measured.ts";
import { measuredText, METRICS } from "../../gate/metrics.ts";
import { STATUS_CLASSES } from "../../gate/request_counts.ts";
import { Tally } from "../../gate/tally.ts";
import { equal, ok, throws } from "../support/assert.ts";
import { parseExposition } from "../support/exposition.ts";
import { startGate } from "../support/gate.ts";
import { connect, listenEcho } from "../support/net.ts";
import { tableUnder } from "../support/operating.ts";
import { STATUS } from "../support/operations.ts";

const none = { counts: Array<number>(DURATIONS.length + 1).fill(0), sum: 0 };
const NOTHING: JournalBatch = {
  ...{
    lines: new Uint8Array(),
    counts: [],
    bytes: [],
    sniff: none,
    dial: none,
    authFailures: [],
    requests: [],
  },
};

function measured(given: Partial<Measured> = {}): Measured {
  return {
    status: { ...STATUS, ended: [] },
    endpoints: [],
    totals: new Tally().status(),
    reloads: { counts: { applied: 0, unchanged: 0, refused: 0 }, diskHolds: true, lastGood: false },
    orders: { issued: 0, failed: 0 },
    linesLost: 0,
    population: { nodes: 0, names: 0, streams: 0, proven: {} },
    requestRoutes: [],
    askingUsers: [],
    usage: { openFiles: 20, mostOpenFiles: 1024, residentMemory: 7e7, cpu: 1.5 },
    ...given,
  };
}

/** Of one metric: label values and value of each sample. */
function samplesOf(name: string, given: Partial<Measured>): [string, number][] {
  const { samples } = parseExposition(measuredText(measured(given))).get(name)!;
  return samples.map(({ labels, value }) => [Object.values(labels).join(" "), value]);
}

function totalsOf(batch: Partial<JournalBatch>) {
  const tally = new Tally();
  tally.add({ ...NOTHING, ...batch }, 0);
  return tally.status();
}

Deno.test("names, types and labels of the metrics are those that were promised", () => {
  const promised = METRICS.map(({ name, type, labels }) => `${type} ${name}{${labels}}`);
  equal(promised, [
    "gauge ugate_build_info{version,deno}",
    "gauge ugate_start_time_seconds{}",
    "gauge ugate_draining{}",
    "gauge ugate_connections_active{listener}",
    "counter ugate_connections_total{listener,protocol,outcome,side}",
    "counter ugate_bytes_total{listener,direction}",
    "histogram ugate_sniff_seconds{}",
    "histogram ugate_dial_seconds{}",
    "counter ugate_requests_total{route,status}",
    "gauge ugate_requests_in_flight{route}",
    "counter ugate_retries_total{route}",
    "counter ugate_request_bytes_total{route,direction}",
    "histogram ugate_request_duration_seconds{route}",
    "histogram ugate_request_wait_seconds{route}",
    "counter ugate_limit_hits_total{limit}",
    "counter ugate_auth_failures_total{listener,protocol}",
    "gauge ugate_endpoint_active{route,endpoint}",
    "gauge ugate_endpoint_usable{route,endpoint}",
    "gauge ugate_proven_connections{proof}",
    "gauge ugate_nodes{}",
    "gauge ugate_node_names{}",
    "gauge ugate_node_streams{}",
    "gauge ugate_certificate_expiry_timestamp_seconds{name}",
    "counter ugate_acme_orders_total{result}",
    "counter ugate_config_reloads_total{result}",
    "gauge ugate_config_last_reload_success{}",
    "gauge ugate_config_last_reload_timestamp_seconds{}",
    "gauge ugate_config_trial{}",
    "gauge ugate_engines{}",
    "counter ugate_engine_restarts_total{}",
    "counter ugate_log_lines_lost_total{}",
    "gauge process_open_fds{}",
    "gauge process_max_fds{}",
    "gauge process_resident_memory_bytes{}",
    "counter process_cpu_seconds_total{}",
  ]);
});

Deno.test("docs/operating.md has every metric, and no other", () => {
  equal(
    tableUnder("Metrics"),
    METRICS.map(({ name, type, labels, help }) => {
      return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(", "), help];
    }),
  );
});

Deno.test("the text is what Prometheus reads, with a help for each", () => {
  const families = parseExposition(measuredText(measured()));
  equal([...families.keys()], METRICS.map(({ name }) => name));
  for (const { name, help, type, samples } of families.values()) {
    ok(/^[A-Z01].*\.$/.test(help), `${name}: ${help}`);
    const metric = METRICS.find((one) => one.name === name)!;
    equal(type, metric.type);
    const own = type === "histogram" ? [] : samples;
    for (const { labels } of own) equal(Object.keys(labels), [...metric.labels], name);
  }
});

Deno.test("what a rate is made of is there before it happened", () => {
  const given: Partial<Measured> = { askingUsers: ["edge"] };
  equal(samplesOf("ugate_limit_hits_total", given), LIMIT_NAMES.map((name) => [name, 0]));
  equal(samplesOf("ugate_auth_failures_total", given), [["edge tls", 0], ["edge ssh", 0]]);
  equal(samplesOf("ugate_auth_failures_total", {}), []);
  equal(samplesOf("ugate_connections_total", given), [["edge tls ok ", 0], ["edge ssh ok ", 0]]);
  equal(samplesOf("ugate_bytes_total", given), [["edge in", 0], ["edge out", 0]]);
  const handled: Partial<Measured> = { requestRoutes: ["host=a.test"] };
  equal(samplesOf("ugate_requests_total", handled), STATUS_CLASSES.map((name) => [`host=a.test ${name}`, 0]));
  equal(samplesOf("ugate_requests_in_flight", handled), [["host=a.test", 0]]);
  equal(samplesOf("ugate_request_bytes_total", handled), [["host=a.test in", 0], ["host=a.test out", 0]]);
  equal(samplesOf("ugate_config_reloads_total", given), [["applied", 0], ["unchanged", 0], ["refused", 0]]);
});

Deno.test("what was counted is told, also of a listener that is gone", () => {
  const totals = totalsOf({
    counts: [["edge\ttls\tok\t", 5], ["old\tsocks\tdenied\tclient", 2]],
    bytes: [["edge", 10, 20], ["old", 1, 2]],
    authFailures: [["edge\ttls", 4]],
  });
  const given: Partial<Measured> = { totals, askingUsers: ["edge"] };
  equal(samplesOf("ugate_connections_total", given), [
    ["edge tls ok ", 5],
    ["old socks denied client", 2],
    ["edge ssh ok ", 0],
  ]);
  equal(samplesOf("ugate_bytes_total", given), [["edge in", 10], ["edge out", 20], ["old in", 1], [
    "old out",
    2,
  ]]);
  equal(samplesOf("ugate_auth_failures_total", given), [["edge tls", 4], ["edge ssh", 0]]);
});

Deno.test("durations are cumulative, in seconds", () => {
  const counts = none.counts.with(0, 2).with(2, 3).with(DURATIONS.length, 1);
  const text = measuredText(measured({ totals: totalsOf({ dial: { counts, sum: 20_500 } }) }));
  const { samples } = parseExposition(text).get("ugate_dial_seconds")!;
  const buckets = samples.filter(({ labels }) => labels.le).map(({ labels, value }) => [labels.le, value]);
  equal(buckets.slice(0, 4), [["0.001", 2], ["0.0025", 2], ["0.005", 5], ["0.01", 5]]);
  equal(buckets.slice(-2), [["10", 5], ["+Inf", 6]]);
  equal(samples.slice(-2).map(({ name, value }) => [name, value]), [
    ["ugate_dial_seconds_sum", 20.5],
    ["ugate_dial_seconds_count", 6],
  ]);
});

Deno.test("requests are told by route: their answers, bytes and times, also of a route that is gone", () => {
  const quick = { counts: none.counts.with(0, 3), sum: 1.5 };
  const requests = [{
    ...{ route: "host=old.test", statuses: [1, 0, 3, 0, 0, 0], retries: 5, up: 7, down: 9, inFlight: 2 },
    ...{ whole: quick, waited: quick },
  }];
  const given: Partial<Measured> = { totals: totalsOf({ requests }), requestRoutes: ["host=a.test"] };
  equal(samplesOf("ugate_requests_total", given).filter(([, value]) => value > 0), [
    ["host=old.test none", 1],
    ["host=old.test 2xx", 3],
  ]);
  equal(samplesOf("ugate_requests_in_flight", given), [["host=old.test", 2], ["host=a.test", 0]]);
  equal(samplesOf("ugate_retries_total", given), [["host=old.test", 5], ["host=a.test", 0]]);
  equal(samplesOf("ugate_request_bytes_total", given).slice(0, 2), [
    ["host=old.test in", 7],
    ["host=old.test out", 9],
  ]);
  for (const name of ["ugate_request_duration_seconds", "ugate_request_wait_seconds"]) {
    equal(samplesOf(name, given).slice(-2), [["host=old.test", 0.0015], ["host=old.test", 3]]);
  }
});

Deno.test("a route that has an endpoint twice makes one sample", () => {
  const endpoint = { route: "host=a.test", endpoint: "10.0.0.7:443", active: 2, usable: false };
  const endpoints = [endpoint, { ...endpoint, active: 2 }];
  equal(samplesOf("ugate_endpoint_active", { endpoints }), [["host=a.test 10.0.0.7:443", 2]]);
  equal(samplesOf("ugate_endpoint_usable", { endpoints }), [["host=a.test 10.0.0.7:443", 0]]);
});

Deno.test("the series of an endpoint stay its own when the file changes above its route", async () => {
  await using echo = await listenEcho();
  const to = `to: "127.0.0.1:${echo.port}"`;
  const text = (above: string) => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh, tls] } }
routes:
${above}
  - { protocol: ssh, ${to} }
admin: { address: "off" }`;
  await using gate = await startGate(text("  - { host: a.test, to: a.test:443 }"));
  const active = async () => {
    const { samples } = parseExposition(await gate.service.metrics()).get("ugate_endpoint_active")!;
    return samples.map(({ labels, value }) => [labels.route, value]);
  };
  await using client = await connect(gate.port("edge"));
  await client.write("SSH-2.0-test\r\n");
  await client.read(14);
  equal(await active(), [["host=a.test", 0], ["protocol=ssh", 1]]);
  const { result } = await gate.reload(text("\n  - { host: b.test, to: b.test:443 }"));
  equal([result, await active()], ["applied", [["host=b.test", 0], ["protocol=ssh", 1]]]);
});

Deno.test("how the last reload went is told", () => {
  const reloads = (diskHolds: boolean) => {
    const last = { at: 1_700_000_000_500, result: "unchanged", problems: [] } as const;
    return { reloads: { ...measured().reloads, last, diskHolds } };
  };
  equal(samplesOf("ugate_config_last_reload_success", {}), [["", 1]]);
  equal(samplesOf("ugate_config_last_reload_success", reloads(false)), [["", 0]]);
  equal(samplesOf("ugate_config_last_reload_success", reloads(true)), [["", 1]]);
  equal(samplesOf("ugate_config_last_reload_timestamp_seconds", reloads(true)), [["", 1_700_000_000.5]]);
  equal(samplesOf("ugate_config_last_reload_timestamp_seconds", {}), [[
    "",
    Date.parse(STATUS.startedAt) / 1000,
  ]]);
});

Deno.test("values of labels are escaped, numbers without a bound are +Inf", () => {
  const listener = 'a"b\\c\nd';
  const status = { ...STATUS, listeners: [{ ...STATUS.listeners[0], listener }] };
  const usage = { openFiles: NaN, mostOpenFiles: Infinity, residentMemory: 1e21, cpu: 1e-7 };
  const families = parseExposition(measuredText(measured({ status, usage })));
  equal(families.get("ugate_connections_active")!.samples[0].labels, { listener });
  equal(families.get("process_max_fds")!.samples[0].value, Infinity);
  equal(families.get("process_cpu_seconds_total")!.samples[0].value, 1e-7);
});

Deno.test("the reader of these tests refuses what is not the format", () => {
  const good = "# HELP a A.\n# TYPE a counter\n";
  for (
    const bad of [
      `${good}a 1`,
      `${good}a 1\na 2\n`,
      `${good}b 1\n`,
      `${good}a{x="1} 1\n`,
      `${good}a{x="1",x="2"} 1\n`,
      `${good}a{x="\\q"} 1\n`,
      `${good}a one\n`,
      "a 1\n",
      `${good}${good}`,
      '# HELP h H.\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
    ]
  ) throws(() => parseExposition(bad), /./);
});

Deno.test("what the process uses is what the system says", () => {
  const before = readUsage();
  const files = Array.from({ length: 10 }, () => Deno.openSync("/dev/null"));
  const { openFiles, mostOpenFiles, residentMemory, cpu } = readUsage();
  for (const file of files) file.close();
  equal(openFiles - before.openFiles, 10);
  const limits = Deno.readTextFileSync("/proc/self/limits");
  equal(mostOpenFiles, Number(/^Max open files +(\d+)/m.exec(limits)![1]));
  ok(residentMemory > 10e6 && cpu > 0 && cpu >= before.cpu);
});

Deno.test("nodes are counted without their names, and proofs are there as 0 before anybody gives one", () => {
  const population = { nodes: 2, names: 5, streams: 7, proven: { "ssh key": 3 } };
  equal(samplesOf("ugate_proven_connections", { population }), [
    ["ssh key", 3],
    ["ssh certificate", 0],
    ["token", 0],
    ["tls certificate", 0],
  ]);
  equal(
    ["ugate_nodes", "ugate_node_names", "ugate_node_streams"].map((name) => samplesOf(name, { population })),
    [
      [["", 2]],
      [["", 5]],
      [["", 7]],
    ],
  );
});
