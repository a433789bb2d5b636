/** One stage of the soak: a gate is warmed up, looked at, soaked while it is reloaded again and again, and looked at. */
import { connect } from "../support/net.ts";
import type { ProcessState } from "../support/process_state.ts";
import { DEATH } from "../support/toy_death.ts";
import type { Tally } from "./clients.ts";
import { madeOf, send, sumOf, type Work } from "./crew.ts";
import { GateProcess } from "./gate_process.ts";
import { judge } from "./judge.ts";
import { KINDS } from "./kinds.ts";
import { configuration, DOORS, type Doors, type Servers } from "./world.ts";

export interface Plan {
  readonly name: string;
  /** Starts the gate with the configuration in that file. */
  readonly command: (file: string) => readonly string[];
  readonly connections: number;
  /** No longer than that, ms. */
  readonly time: number;
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
/** Connections before anything counts: code is compiled, heaps and pools take their room. */
const WARM_UP = { least: 1000, most: 40_000, share: 0.1, time: 120_000 };
const DEADLY = `  deadly: { address: "127.0.0.1:0", protocols: [death, ssh] }`;

export async function runStage(
  plan: Plan,
  servers: Servers,
  told: (made: number, state: ProcessState) => void,
): Promise<StageReport> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const state = await Deno.makeTempDir({ prefix: "ugate-soak-" });
  const yaml = (round: number) =>
    configuration(servers, round, plan.deaths > 0 ? DEADLY : "") + `node: { state: "${state}" }\n`;
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
  const idle = gate.state.sockets, samples: Sample[] = [], over = new AbortController();
  const first = await send({ ...work, connections: warm }, (made) => told(made, gate.state));
  const before = await gate.quiet(idle), began = performance.now();
  let made = madeOf(first);
  const seconds = () => (performance.now() - began) / 1000;
  const beside = [
    again(
      RELOAD_EVERY,
      over.signal,
      (round) => gate.reload(round % BROKEN_EVERY ? yaml(round) : "listeners: ["),
    ),
    again(SAMPLE_EVERY, over.signal, () => {
      samples.push({ at: seconds(), connections: made, ...gate.state });
      told(made, gate.state);
    }),
    again(plan.pause, over.signal, async (death) => {
      if (death <= plan.deaths) await kill(gate.port("deadly"));
    }),
  ];
  const second = await send(
    { ...work, seed: 2, until: Date.now() + plan.time, rough: plan.deaths > 0 },
    (count) => made = madeOf(first) + count,
  );
  const lasted = seconds(), tally = sumOf([first, second]);
  over.abort();
  await Promise.all(beside);
  await gate.reload(yaml(0));
  const after = await gate.quiet(before.sockets), status = await gate.status();
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
  return { ...report, problems: judge(report, { tally, status, faults: gate.faults, code }) };
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
