/** One stage of the soak: a gate is warmed up, looked at, soaked while it is reloaded again and again, and looked at. */
import { connect } from "../support/net.ts";
import type { ProcessState } from "../support/process_state.ts";
import { DEATH } from "../support/toy_death.ts";
import type { Tally } from "./clients.ts";
import { madeOf, send, sumOf, type Work } from "./crew.ts";
import { GateProcess } from "./gate_process.ts";
import { judge } from "./judge.ts";
import { KINDS } from "./kinds.ts";
import { configuration, DOORS, type Doors, type Patience, type Servers } from "./world.ts";

export interface Plan {
  readonly name: string;
  /** Starts the gate with the configuration in that file. */
  readonly command: (file: string) => readonly string[];
  readonly connections: number;
  /** No longer than that, ms. */
  readonly time: number;
  readonly patience: Patience;
  /** What ends late (threads, pages of heaps) has so long before memory is looked at, ms. */
  readonly rest: number;
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
  readonly connections: number;
  readonly seconds: number;
  /** By event: what the gate said besides its records. */
  readonly events: Readonly<Record<string, number>>;
  readonly deaths: number;
  readonly before: ProcessState;
  readonly after: ProcessState;
  readonly samples: readonly Sample[];
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

export async function runStage(
  plan: Plan,
  servers: Servers,
  told: (made: number, state: ProcessState) => void,
): Promise<StageReport> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const state = await Deno.makeTempDir({ prefix: "ugate-soak-" });
  const yaml = (round: number) =>
    configuration(servers, round, plan.patience, plan.deaths > 0 ? DEADLY : "") +
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
  readonly servers: Servers;
  readonly yaml: (round: number) => string;
  readonly told: (made: number, state: ProcessState) => void;
}

async function soak(plan: Plan, { gate, servers, yaml, told }: Parts): Promise<StageReport> {
  const doors = Object.fromEntries(DOORS.map((door) => [door, gate.port(door)])) as Doors;
  const work: Work = { ...plan, doors, servers, until: Date.now() + WARM_UP.time, seed: 1, rough: false };
  const warm = Math.min(WARM_UP.most, Math.max(WARM_UP.least, plan.connections * WARM_UP.share));
  const idle = gate.state.sockets, samples: Sample[] = [];
  const reloads = (over: AbortSignal) => reloading(gate, yaml, over);
  const tallies = [
    await beside([reloads], () => send({ ...work, connections: warm }, (made) => told(made, gate.state))),
  ];
  await gate.reload(yaml(0)); // the last one may have had a listener more
  const before = await gate.settled(idle, plan.rest), began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  let made = madeOf(tallies[0]), killed = 0;
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
  await beside([reloads, sampling, killing], async () => {
    for (let seed = 2; seed === 2 || (killed < plan.deaths && Date.now() < until); seed += 2) {
      const earlier = tallies.reduce((sum, tally) => sum + madeOf(tally), 0);
      tallies.push(await send({ ...work, seed, until, rough }, (count) => made = earlier + count));
    }
  });
  const lasted = seconds(), tally = sumOf(tallies);
  await gate.reload(yaml(0));
  const after = await gate.settled(before.sockets, plan.rest), status = await gate.status();
  const code = await gate.stop(); // all of its log is here then
  const report = {
    name: plan.name,
    connections: madeOf(tally),
    seconds: lasted,
    events: Object.fromEntries(gate.events),
    deaths: status.engines.reduce((sum, { restarts }) => sum + restarts, 0),
    before,
    after,
    samples,
    kinds: kindsOf(gate, tally),
  };
  const facts = { tally, status, faults: gate.faults, code, deaths: plan.deaths };
  return { ...report, problems: judge(report, facts) };
}

const reloading = (gate: GateProcess, yaml: Parts["yaml"], over: AbortSignal): Promise<void> =>
  again(RELOAD_EVERY, over, (round) => gate.reload(round % BROKEN_EVERY ? yaml(round) : "listeners: ["));

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

const kindsOf = ({ records }: GateProcess, { made }: Tally): StageReport["kinds"] =>
  Object.fromEntries(KINDS.map(({ name, from }) => {
    return [name, { made: made[name] ?? 0, records: Object.fromEntries(records.get(from) ?? []) }];
  }));
