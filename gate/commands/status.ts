/** `ugate status`: how the running gate is. */
import type { EndedCount, Status } from "../operations.ts";
import { bytesText, clockText, counted, countText, shortText, spanText } from "../amounts.ts";
import { findGate, type GateOptions } from "./find_gate.ts";
import { isStatus } from "./gate_answers.ts";
import { outputSize } from "./screen.ts";
import { type Column, table } from "./table.ts";
import { visible, visibleJson } from "../visible.ts";

/** Prints it as text or as JSON; the exit code. */
export async function status(options: GateOptions): Promise<number> {
  const gate = await findGate(options);
  const found = await gate.json({ path: "/status" }, isStatus);
  console.log(
    options.json ? visibleJson(found, 2) : statusLines(found, outputSize().columns, new Date()).join("\n"),
  );
  return 0;
}

/** For people: what is not worth a line has none. */
export function statusLines(status: Status, width: number, now: Date): string[] {
  const { certificates, requests } = status;
  const sections = [
    headLines(status, now),
    table(LISTENERS, status.listeners, width),
    status.endpoints.length > 0 ? table(ENDPOINTS, status.endpoints, width) : [],
    requests.length > 0 ? table(REQUESTS, requests, width) : [],
    certificates.length > 0 ? table(certificateColumns(now), certificates, width) : [],
    certificates.flatMap((certificate) => failureLine(certificate, now)),
    status.ended.length > 0 ? table(ENDED, byOutcome(status.ended), width) : [],
    countLines(status),
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines, at) =>
    at === 0 ? lines : ["", ...lines]
  );
}

const LISTENERS: Column<Status["listeners"][number]>[] = [
  { title: "LISTENER", cell: ({ listener }) => listener, least: 8 },
  { title: "ADDRESS", cell: ({ address }) => address, least: 14 },
  { title: "PROTOCOLS", cell: ({ protocols }) => protocols.join(","), least: 9, spare: 1 },
  { title: "ACTIVE", cell: ({ active }) => countText(active), right: true },
  { title: "ENDED", cell: ({ ended }) => countText(ended), right: true },
  { title: "UP", cell: ({ up }) => bytesText(up), right: true },
  { title: "DOWN", cell: ({ down }) => bytesText(down), right: true },
];

const ENDPOINTS: Column<Status["endpoints"][number]>[] = [
  { title: "ENDPOINT", cell: ({ endpoint }) => endpoint, least: 16 },
  { title: "ROUTE", cell: ({ route }) => route, least: 12 },
  { title: "ACTIVE", cell: ({ active }) => countText(active), right: true },
  { title: "STATE", cell: ({ usable }) => usable ? "usable" : "left out" },
];

const REQUESTS: Column<Status["requests"][number]>[] = [
  { title: "REQUESTS", cell: ({ label }) => label, least: 12, spare: 1 },
  { title: "ACTIVE", cell: ({ active }) => countText(active), right: true },
  ...(["2xx", "3xx", "4xx", "5xx"] as const).map((name) => ({
    title: name,
    cell: ({ statuses }: Status["requests"][number]) => countText(statuses[name] ?? 0),
    right: true,
  })),
  ...(["p50", "p99"] as const).map((name) => ({
    title: name.toUpperCase(),
    cell: ({ latency }: Status["requests"][number]) => latency ? shortText(latency[name]) : "",
    right: true,
    spare: 2,
  })),
  { title: "UP", cell: ({ up }) => bytesText(up), right: true },
  { title: "DOWN", cell: ({ down }) => bytesText(down), right: true },
];

const certificateColumns = (now: Date): Column<Status["certificates"][number]>[] => [
  { title: "CERTIFICATE", cell: ({ names, file }) => names.join(",") || file, least: 16 },
  { title: "EXPIRES", cell: ({ expires }) => expires?.slice(0, 10) ?? "not issued" },
  { title: "LEFT", cell: ({ expires }) => leftOf(expires, now), right: true },
  { title: "SOURCE", cell: ({ source }) => source },
  { title: "FILE", cell: ({ file }) => file, least: 12, spare: 1 },
];

/** Until the end of its validity. */
function leftOf(expires: string | undefined, now: Date): string {
  if (expires === undefined) return "";
  const left = Date.parse(expires) - now.getTime();
  return left > 0 ? spanText(left) : "EXPIRED";
}

/** Why an authority issued none when it was asked last. */
function failureLine({ names, failure, nextAttempt }: Status["certificates"][number], now: Date): string[] {
  if (failure === undefined) return [];
  const again = nextAttempt === undefined
    ? "asked again now"
    : `asked again ${clockText(new Date(nextAttempt), now)}`;
  return [`certificate of ${visible(names.join(","))}: ${visible(failure)} (${again})`];
}

type Outcome = Omit<EndedCount, "listener" | "protocol">;
const ENDED: Column<Outcome>[] = [
  { title: "OUTCOME", cell: ({ outcome }) => outcome },
  { title: "SIDE", cell: ({ side }) => side ?? "" },
  { title: "CONNECTIONS", cell: ({ count }) => countText(count), right: true },
];

function headLines({ version, startedAt, draining, connections, engines, configuration }: Status, now: Date) {
  const { files, lastGood, lastReload, trial } = configuration;
  const started = new Date(startedAt);
  const up = `up ${spanText(now.getTime() - started.getTime())} since ${clockText(started, now)}`;
  const lines = [
    `ugate ${visible(version)}, ${up}, ${counted(connections, "connection")}${draining ? ", DRAINING" : ""}`,
  ];
  const named = files.length > 0 ? files.map(visible).join(", ") : "the built-in one";
  lines.push(`configuration: ${named}${lastGood ? " AS IT WORKED LAST: what is there now is broken" : ""}`);
  if (lastReload) {
    lines.push(`last reload: ${visible(lastReload.result)}, ${clockText(new Date(lastReload.at), now)}`);
    lines.push(...(lastReload.problems ?? []).map((problem) => `  ${visible(problem)}`));
  }
  if (trial) {
    const end = trial.left > 0
      ? `${spanText(trial.left)} left, then what held before holds again`
      : "OVER, but what held before cannot hold again so far: the log tells why";
    lines.push(`trial: ${end} (ugate confirm keeps it)`);
  }
  for (const { engine, alive, restarts } of engines) {
    const state = `${alive ? "" : ", NOT RUNNING"}${
      restarts > 0 ? `, started again ${times(restarts)}` : ""
    }`;
    if (state !== "") lines.push(`engine ${engine}${state}`);
  }
  return lines;
}

function countLines({ limitHits, authFailures }: Status): string[] {
  const hits = Object.entries(limitHits).filter(([, count]) => count > 0);
  return [
    ...hits.map(([limit, count]) => `limit ${visible(limit)}: hit ${times(count)}`),
    ...authFailures > 0 ? [`failed logins: ${countText(authFailures)}`] : [],
  ];
}

const times = (count: number): string => count === 1 ? "once" : `${countText(count)} times`;

/** Summed over listeners and protocols, the most frequent first. */
function byOutcome(ended: readonly EndedCount[]): Outcome[] {
  const sums = new Map<string, Outcome>();
  for (const { outcome, side, count } of ended) {
    const key = `${outcome}\t${side ?? ""}`;
    sums.set(key, { outcome, side, count: (sums.get(key)?.count ?? 0) + count });
  }
  return [...sums.values()].sort((a, b) => b.count - a.count);
}
