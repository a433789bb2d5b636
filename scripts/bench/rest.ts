/** What a server is without load: how fast it starts, how much memory it takes, alone and for idle connections. */
import { start } from "./contenders.ts";
import type { Done } from "./load.ts";
import { jobFor, measure, type Measurement } from "./measure.ts";
import { Child, idleConnections } from "./process.ts";
import type { Server } from "./servers.ts";
import type { Figure } from "./table.ts";
import { startUpstream } from "./upstream.ts";

/** A measurement of a fresh process each time: a used one hides what it has in reserve. */
export interface AtRest {
  readonly name: string;
  measure(server: Server): Promise<Figure[]>;
}

/** ms without load before the memory of a process is read: V8 keeps the pages of a thread that ended for 20 s. */
const REST = 30_000;
/** ms that a process has to put away what opening connections needed. */
const SETTLE = 1500;

const KIB = 1024;

export const AT_REST: readonly AtRest[] = [
  { name: "start-up and idle process", measure: startAndRest },
  { name: "idle connections", measure: holdConnections },
];

async function startAndRest(server: Server): Promise<Figure[]> {
  await using upstream = await startUpstream();
  await using who = await start(server, upstream);
  const { answer, ready } = who.startup!;
  await pass(REST);
  const figures: Figure[] = [{ name: "start to an answer", unit: "ms", value: answer }];
  if (ready !== undefined) figures.push({ name: "start to `ready`", unit: "ms", value: ready });
  figures.push({ name: "idle process", unit: "MiB", value: who.child!.memory() / KIB });
  const size = server.size?.();
  if (size !== undefined) figures.push({ name: "file on disk", unit: "MB", value: size / 1e6 });
  return figures;
}

const WARM_UP: Measurement = {
  name: "warming up",
  door: "sni",
  mode: "answer",
  threads: 4,
  tells: "connections",
};

/** Memory of each of many idle connections through the route by SNI: what they add to a process that is warm. */
async function holdConnections(server: Server): Promise<Figure[]> {
  await using upstream = await startUpstream();
  await using who = await start(server, upstream);
  const { door } = WARM_UP, child = who.child!, count = idleConnections();
  await measure(WARM_UP, who, upstream, 0.3);
  await pass(SETTLE);
  const before = child.memory();
  const job = jobFor(door, who.doors[door]!, upstream, { mode: "stay", threads: 1, seconds: 60, count });
  await using load = Child.script("load.ts", JSON.stringify(job));
  const done: Done = JSON.parse(await load.line(90_000));
  if (done.connections < count) throw new Error(`only ${done.connections} of ${count} connections opened`);
  await pass(SETTLE);
  return [{ name: "idle connection, sni", unit: "KiB", value: (child.memory() - before) / count }];
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
