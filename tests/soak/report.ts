/** The report of a soak, for people. */
import type { Counted } from "../support/toy_census.ts";
import type { Sample, StageReport } from "./stage.ts";

/** Lines of a stage's course. */
const MOST_SAMPLES = 20;

const mib = (bytes: number): string => (bytes / (1 << 20)).toFixed(0);

export function reportLines(stage: StageReport): string[] {
  const { name, unit, connections, seconds, deaths, before, after, problems, events, kinds } = stage;
  const rate = (stage.samples.at(-1)?.connections ?? 0) / Math.max(seconds, 1);
  return [
    `${name}: ${connections} ${unit} in ${seconds.toFixed(0)} s, ${
      rate.toFixed(0)
    } a second; ${deaths} deaths`,
    `  it said: ${Object.entries(events).map(([event, count]) => `${count} ${event}`).join(", ")}`,
    `  before: ${
      mib(before.memory)
    } MiB, ${before.sockets} sockets, ${before.pipes} pipes, ${before.others} others; after: ` +
    `${mib(after.memory)} MiB, ${after.sockets} sockets, ${after.pipes} pipes, ${after.others} others`,
    ...counted(stage),
    ...course(stage.samples),
    ...table(
      ["kind", "made", "records"],
      Object.entries(kinds).map(([kind, { made, records }]) => [
        kind,
        String(made),
        Object.entries(records).map(([outcome, count]) => `${count} ${outcome}`).join(", "),
      ]),
    ),
    ...problems.length === 0 ? ["  all is well"] : problems.map((problem) => `  OFF: ${problem}`),
  ];
}

/** Each thread's, one behind the other. */
function counted({ census }: StageReport): string[] {
  const told = ({ threads }: Counted) =>
    threads.map(({ connections, contexts }) => `${connections} and ${contexts}`).join(", ");
  const used = ({ heap, threads }: Counted) =>
    `${mib(heap)} (main), ${threads.map(({ heap }) => mib(heap)).join(", ")} in heaps, ` +
    `${mib(Math.max(...threads.map(({ allocated }) => allocated)))} from malloc`;
  return census
    ? [
      `  SSL and SSL_CTX of libssl before: ${told(census.before)}; after: ${told(census.after)}`,
      `  MiB in use before: ${used(census.before)}; after: ${used(census.after)}`,
    ]
    : [];
}

function course(samples: readonly Sample[]): string[] {
  const step = Math.max(1, Math.ceil(samples.length / MOST_SAMPLES));
  const shown = samples.filter((_, i) => i % step === 0);
  return table(
    ["s", "connections", "MiB", "sockets", "pipes", "CPU s"],
    shown.map((
      { at, connections, memory, sockets, pipes, cpu },
    ) => [at.toFixed(0), String(connections), mib(memory), String(sockets), String(pipes), cpu.toFixed(0)]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column])).join("  ")}`.trimEnd());
}
