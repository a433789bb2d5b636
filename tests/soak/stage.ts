/** One stage of the soak: a gate is warmed up, looked at, soaked while it is reloaded again and again, and looked at. */
import { connect } from "../support/net.ts";
import type { ProcessState } from "../support/process_state.ts";
import type { Counted } from "../support/toy_census.ts";
import { DEATH } from "../support/toy_death.ts";
import type { Course, Doors, Patience } from "./course.ts";
import { send, type Work } from "./crew.ts";
import { GateProcess } from "./gate_process.ts";
import { judge } from "./judge.ts";
import { madeOf, sumOf, type Tally } from "./tally.ts";

export interface Plan {
  readonly name: string;
  readonly course: Course;
  /** Starts the gate with the configuration in that file. */
  readonly command: (file: string) => readonly string[];
  readonly connections: number;
  /** No longer than that, ms. */
  readonly time: number;
  readonly patience: Patience;
  /** What ends late (threads, pages of heaps) has so long before memory is looked at, ms. */
  readonly rest: number;
  /** The gate tells its census. */
  readonly counts: boolean;
  /** How many of its threads are killed, and the pause before each, ms. */
  readonly deaths: number;
  readonly pause: number;
}

export interface Sample extends ProcessState {
  /** Seconds since the stage began, and connections made by then. */
  readonly at: number;
  readonly connections: number;
}

export interface StageReport {
  readonly name: string;
  readonly unit: string;
  readonly connections: number;
  readonly seconds: number;
  /** By event: what the gate said besides its records. */
  readonly events: Readonly<Record<string, number>>;
  readonly deaths: number;
  readonly before: ProcessState;
  readonly after: ProcessState;
  readonly samples: readonly Sample[];
  /** What is in use, thread by thread. */
  readonly census?: { readonly before: Counted; readonly after: Counted };
  /** By kind: connections made, and how often their records ended how. */
  readonly kinds: Readonly<Record<string, { made: number; records: Readonly<Record<string, number>> }>>;
  /** What is off; nothing when all is well. */
  readonly problems: readonly string[];
}

/** ms between reloads, and between samples; every so many reloads one is broken. */
const RELOAD_EVERY = 300, SAMPLE_EVERY = 1000, BROKEN_EVERY = 7;
/** Connections before anything counts, reloads beside them: code is compiled, heaps and pools take their room. */
const WARM_UP = { least: 1000, most: 200_000, share: 0.2, time: 300_000 };
const DEADLY = `  deadly: { address: "127.0.0.1:0", protocols: [death, ssh] }`;
const COUNTING = `  counting: { address: "127.0.0.1:0", protocols: [census, ssh] }`;
/** engine.threads of every course. */
const THREADS = 2;

export async function runStage(
  plan: Plan,
  servers: unknown,
  told: (made: number, state: ProcessState) => void,
): Promise<StageReport> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const state = await Deno.makeTempDir({ prefix: "ugate-soak-" });
  const more = `${plan.deaths > 0 ? DEADLY : ""}\n${plan.counts ? COUNTING : ""}`;
  const yaml = (round: number) =>
    plan.course.configuration(servers, round, plan.patience, more) +
    `node: { state: "${state}" }\n`;
  await Deno.writeTextFile(file, yaml(0));
  const gate = await GateProcess.start(plan.command(file), file, plan.deaths > 0);
  try {
    return await soak(plan, { gate, servers, yaml, told });
  } finally {
    await gate.stop();
    await Deno.remove(file);
    await Deno.remove(state, { recursive: true });
  }
}

interface Parts {
  readonly gate: GateProcess;
  readonly servers: unknown;
  readonly yaml: (round: number) => string;
  readonly told: (made: number, state: ProcessState) => void;
}

async function soak(plan: Plan, parts: Parts): Promise<StageReport> {
  const { course } = plan, { gate, servers, told } = parts;
  const doors: Doors = Object.fromEntries(course.doors.map((door) => [door, gate.port(door)]));
  const work: Work = { doors, servers, connections: plan.connections, until: 0, seed: 1, rough: false };
  const most = gate.state.sockets + course.spare;
  const least = Math.min(WARM_UP.least, plan.connections);
  const connections = Math.min(WARM_UP.most, Math.max(least, plan.connections * WARM_UP.share));
  const warmTime = Math.min(WARM_UP.time, plan.time * WARM_UP.share);
  const warm = { ...work, connections, until: Date.now() + warmTime };
  const warmed = await beside(
    [(over) => reloading(plan, parts, over)],
    () => send(course, warm, (made) => told(made, gate.state)),
  );
  const { census: counted, state: before } = await resting(plan, parts, most);
  const { tally, samples, seconds } = await load(plan, parts, work, warmed);
  const { census, state: after } = await resting(plan, parts, before.sockets + course.spare);
  const status = await gate.status();
  const code = await gate.stop(); // all of its log is here then
  const report = {
    name: plan.name,
    unit: course.unit,
    connections: madeOf(tally),
    seconds,
    events: Object.fromEntries(gate.events),
    deaths: status.engines.reduce((sum, { restarts }) => sum + restarts, 0),
    before,
    after,
    samples,
    census: counted && census && { before: counted, after: census },
    kinds: kindsOf(course, gate, tally),
  };
  const { kinds: soaked, mostContexts, spare } = course;
  const facts = {
    soaked,
    mostContexts,
    spare,
    tally,
    status,
    faults: gate.faults,
    code,
    deaths: plan.deaths,
  };
  return { ...report, problems: judge(report, facts) };
}

/** What it holds when all who came have gone, under the configuration that it began with. */
async function resting({ rest, counts }: Plan, { gate, yaml }: Parts, most: number) {
  await gate.reload(yaml(0)); // the last one may have had a listener more
  await gate.settled(most, rest);
  const census = counts ? await gate.census("counting", THREADS) : undefined;
  return { census, state: await gate.quiet(most) };
}

/** All connections, while it is reloaded and its threads are killed; the tally counts those of the warm-up too. */
async function load(plan: Plan, parts: Parts, work: Work, warmed: Tally) {
  const { gate, told } = parts, samples: Sample[] = [], tallies = [warmed], began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  let made = madeOf(warmed), killed = 0;
  const sampling = (over: AbortSignal) =>
    again(SAMPLE_EVERY, over, () => {
      samples.push({ at: seconds(), connections: made, ...gate.state });
      told(made, gate.state);
    });
  const killing = (over: AbortSignal) =>
    again(plan.pause, over, async () => {
      if (killed < plan.deaths) await kill(gate.port("deadly")).then(() => killed++);
    });
  const until = Date.now() + plan.time, rough = plan.deaths > 0;
  await beside([(over) => reloading(plan, parts, over), sampling, killing], async () => {
    for (let seed = 2; seed === 2 || (killed < plan.deaths && Date.now() < until); seed += 2) {
      const earlier = tallies.reduce((sum, tally) => sum + madeOf(tally), 0);
      tallies.push(
        await send(plan.course, { ...work, seed, until, rough }, (count) => made = earlier + count),
      );
    }
  });
  return { tally: sumOf(tallies), samples, seconds: seconds() };
}

const reloading = ({ course }: Plan, { gate, servers, yaml }: Parts, over: AbortSignal): Promise<void> =>
  again(RELOAD_EVERY, over, async (round) => {
    await course.change?.(servers, round);
    await gate.reload(round % BROKEN_EVERY ? yaml(round) : "listeners: [");
  });

/** Does `act`, and the others until it is over, however it ends. */
async function beside<T>(
  others: readonly ((over: AbortSignal) => Promise<void>)[],
  act: () => Promise<T>,
): Promise<T> {
  const over = new AbortController(), running = others.map((other) => other(over.signal));
  try {
    return await act();
  } finally {
    over.abort();
    await Promise.all(running);
  }
}

/** Does `act` again and again, with pauses of so many ms, for rounds from 1 on. */
async function again(
  ms: number,
  over: AbortSignal,
  act: (round: number) => void | Promise<void>,
): Promise<void> {
  for (let round = 1;; round++) {
    await new Promise<void>((done) => {
      const timer = setTimeout(end, ms);
      over.addEventListener("abort", end, { once: true });
      function end() {
        clearTimeout(timer);
        over.removeEventListener("abort", end);
        done();
      }
    });
    if (over.aborted) return;
    await act(round);
  }
}

/** Whoever serves this connection dies of it. */
async function kill(port: number): Promise<void> {
  await using client = await connect(port);
  await client.write(DEATH);
  await client.readAll().catch(() => {}); // closed with all that the thread had
}

const kindsOf = ({ kinds }: Course, { records }: GateProcess, { made }: Tally): StageReport["kinds"] =>
  Object.fromEntries(kinds.map(({ name, from }) => {
    return [name, { made: made[name] ?? 0, records: Object.fromEntries(records.get(from) ?? []) }];
  }));
