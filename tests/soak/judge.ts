/** What is off after a stage of the soak: a sentence for each. */
import type { Status } from "../../gate/operations.ts";
import type { Counted } from "../support/toy_census.ts";
import type { KindFacts } from "./course.ts";
import type { StageReport } from "./stage.ts";
import type { Tally } from "./tally.ts";

/** What is in use after a collection, MiB: with a million connections a leak of 16 bytes each would be told. */
const MOST_KEPT = 16;
/** A heap takes its room in steps, and malloc keeps what is free between pieces that are not, MiB. */
const MOST_GROWN = 48, MOST_GROWN_COUNTED = 96;
/** Few connections leave code uncompiled and heaps small. */
const FEW = 100_000, MOST_GROWN_OF_FEW = 96;
/** Pipes that each of two threads may keep, two descriptors each. */
const POOLED = 2 * 2 * 32;
/** Descriptors of other kinds that a thread which parses may have open, while it waits for more texts. */
const PARSING = 8;
const MOST_COMPLAINTS = 10;

export interface Facts {
  /** What was soaked. */
  readonly soaked: readonly KindFacts[];
  readonly mostContexts?: number;
  readonly spare: number;
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
  { soaked, mostContexts = 0, spare, tally, status, faults, code, deaths }: Facts,
): string[] {
  const { before, after } = report, died = report.deaths > 0;
  const problems = [...faults.map((line) => `the gate told of a fault: ${line}`), ...counted(status)];
  if (code !== 0) problems.push(`the gate ended with exit code ${code}`);
  if (after.sockets > before.sockets + spare) {
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
  const mayGrow = report.census ? MOST_GROWN_COUNTED : MOST_GROWN;
  if (grown > (report.connections < FEW ? MOST_GROWN_OF_FEW : mayGrow)) {
    problems.push(`memory grew by ${grown.toFixed(1)} MiB`);
  }
  if (tally.failures > 0 && !died) {
    problems.push(`${tally.failures} connections were not served as they should`);
    problems.push(...tally.complaints.slice(0, MOST_COMPLAINTS));
  }
  return [
    ...problems,
    ...unfreed(report, mostContexts),
    ...unaccounted(soaked, report, died),
    ...(died ? [] : untold(report, tally)),
    ...unreloaded(report),
  ];
}

/** What libssl made and did not free, and what was kept of memory. */
function unfreed({ census }: Pick<StageReport, "census">, mostContexts: number): string[] {
  if (!census) return [];
  const sum = ({ threads }: Counted) => threads.reduce((all, { connections }) => all + connections, 0);
  const [before, after] = [sum(census.before), sum(census.after)];
  const contexts = Math.max(...census.after.threads.map((each) => each.contexts));
  const kept = (inUse(census.after) - inUse(census.before)) / (1 << 20);
  return [
    ...after > before ? [`libssl has ${after} connections, before ${before}`] : [],
    ...contexts > mostContexts ? [`libssl has ${contexts} contexts on one thread`] : [],
    ...kept > MOST_KEPT ? [`${kept.toFixed(1)} MiB more are in use`] : [],
  ];
}

/** Bytes, of all heaps and of malloc. */
const inUse = ({ heap, threads }: Counted): number =>
  threads.reduce((all, thread) => all + thread.heap, heap) +
  Math.max(...threads.map(({ allocated }) => allocated));

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
function unaccounted(
  soaked: readonly KindFacts[],
  { kinds }: Pick<StageReport, "kinds">,
  died: boolean,
): string[] {
  return soaked.flatMap(({ name, outcomes }) => {
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

/** Each request that was answered has a line, and so may have the last one of a connection, which was not. */
function untold({ events }: Pick<StageReport, "events">, { made, asked }: Tally): string[] {
  const lines = events.request ?? 0;
  const unanswered = Object.values(made).reduce((sum, count) => sum + count, 0);
  const right = asked === 0 || lines >= asked && lines <= asked + unanswered;
  return right ? [] : [`${lines} lines of ${asked} requests`];
}

const unreloaded = ({ events }: Pick<StageReport, "events">): string[] =>
  ["applied", "refused"].filter((result) => !events[`reload ${result}`])
    .map((result) => `no configuration was ${result}`);
