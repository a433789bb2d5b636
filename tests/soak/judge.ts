/** What is off after a stage of the soak: a sentence for each. */
import type { Status } from "../../gate/operations.ts";
import type { Tally } from "./clients.ts";
import { KINDS } from "./kinds.ts";
import type { StageReport } from "./stage.ts";

/** A heap takes its room in steps, MiB: with a million connections a leak of 50 bytes each would be told. */
const MOST_GROWN = 48;
/** Pipes that each of two threads may keep, two descriptors each. */
const POOLED = 2 * 2 * 32;
/** Descriptors of other kinds that a thread which parses may have open, while it waits for more texts. */
const PARSING = 8;
const MOST_COMPLAINTS = 10;

export interface Facts {
  readonly tally: Tally;
  /** At the end, when all was quiet. */
  readonly status: Status;
  readonly faults: readonly string[];
  readonly code: number;
  /** Threads that were to be killed. */
  readonly deaths: number;
}

export function judge(
  report: Omit<StageReport, "problems">,
  { tally, status, faults, code, deaths }: Facts,
): string[] {
  const { before, after } = report, died = report.deaths > 0;
  const problems = [...faults.map((line) => `the gate told of a fault: ${line}`), ...counted(status)];
  if (code !== 0) problems.push(`the gate ended with exit code ${code}`);
  if (after.sockets > before.sockets) {
    problems.push(`${after.sockets} sockets are open, before ${before.sockets}`);
  }
  if (after.pipes > before.pipes + POOLED) {
    problems.push(`${after.pipes} pipes are open, before ${before.pipes}`);
  }
  if (after.others > before.others + PARSING) {
    problems.push(`${after.others} descriptors of other kinds are open, before ${before.others}`);
  }
  if (report.deaths < deaths) problems.push(`${report.deaths} threads died, and ${deaths} were to`);
  const grown = (after.memory - before.memory) / (1 << 20);
  if (grown > MOST_GROWN) problems.push(`memory grew by ${grown.toFixed(1)} MiB`);
  if (tally.failures > 0 && !died) {
    problems.push(`${tally.failures} connections were not served as they should`);
    problems.push(...tally.complaints.slice(0, MOST_COMPLAINTS));
  }
  return [...problems, ...unaccounted(report, died), ...unreloaded(report)];
}

/** Limits whose counters are not where they began. */
function counted({ connections, listeners, endpoints }: Status): string[] {
  const held = [
    ["in all", connections] as const,
    ...listeners.map(({ listener, active }) => [`on ${listener}`, active] as const),
    ...endpoints.map(({ endpoint, active }) => [`to ${endpoint}`, active] as const),
  ];
  return held.filter(([, count]) => count !== 0).map(([where, count]) =>
    `${count} connections are counted ${where}`
  );
}

/** A connection that stood has one record, with an outcome of its kind. Threads take records with them when they die. */
function unaccounted({ kinds }: Pick<StageReport, "kinds">, died: boolean): string[] {
  return KINDS.flatMap(({ name, outcomes }) => {
    const { made, records } = kinds[name], problems: string[] = [];
    const recorded = Object.values(records).reduce((sum, count) => sum + count, 0);
    if (died ? recorded > made : recorded !== made) {
      problems.push(`${name}: ${recorded} records of ${made} connections`);
    }
    const strange = Object.entries(records).filter(([outcome]) => !outcomes.includes(outcome));
    if (strange.length > 0 && !died) {
      const told = strange.map(([outcome, count]) => `${count} ${outcome}`).join(", ");
      problems.push(`${name}: ended as ${told}, expected ${outcomes.join(" or ")}`);
    }
    return problems;
  });
}

const unreloaded = ({ events }: Pick<StageReport, "events">): string[] =>
  ["applied", "refused"].filter((result) => !events[`reload ${result}`])
    .map((result) => `no configuration was ${result}`);
