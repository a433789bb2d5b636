/**
 * `deno task soak [--course NAME] [--connections N] [--minutes N] [--json FILE]`: connections of every kind of a course
 * through the real program (or UGATE_BINARY), which is reloaded all the time; then through one whose threads are killed.
 * Descriptors, memory and counters have to be back where they were, and every connection in the journal. Ends with 1
 * where anything is off, and with 2 where it is used wrongly. `deno task soak:tls`, `soak:http` and `soak:ssh` are
 * the courses of TLS, of requests and of SSH.
 */
import { parseArgs } from "node:util";
import { MAIN } from "../support/program.ts";
import { reportLines } from "./report.ts";
import { CONNECTIONS } from "./connections/course.ts";
import type { Course } from "./course.ts";
import { type Plan, runStage, type StageReport } from "./stage.ts";
import { HTTP } from "./http/course.ts";
import { SSH } from "./ssh/course.ts";
import { TLS } from "./tls/course.ts";

const COURSES: readonly Course[] = [CONNECTIONS as Course, TLS as Course, HTTP as Course, SSH as Course];

const DEFAULTS = { connections: 1_000_000, minutes: 120 }, MOST = 1e9;
/** One connection in so many goes through the gate that is killed; and how often it is, in a short soak and a long one. */
const MORTAL_SHARE = 20, DEATHS = { few: 2, many: 20 }, LONG = 100_000;
/** ms between deaths: five in a minute are too many for the gate. */
const PAUSES = { few: 1500, many: 15_000 };
/** ms for the warm-up of a gate that is killed; and until the thread that parses has ended and its pages are given back. */
const SPARE = 60_000, REST = 40_000;

/** With collections on demand. */
const MORTAL = [
  ...[Deno.execPath(), "run", "-A", "--v8-flags=--expose-gc"],
  new URL("./mortal_gate.ts", import.meta.url).pathname,
];

interface Options {
  readonly course: Course;
  readonly connections: number;
  readonly minutes: number;
  readonly json?: string;
}

const USAGE = `Usage: deno task soak [--course NAME] [--connections N] [--minutes N] [--json FILE]

  --course NAME     what is soaked: ${COURSES.map(({ name }) => name).join(", ")} (${COURSES[0].name})
  --connections N   so many connections, of every kind (${DEFAULTS.connections}; with --minutes alone, as many as come)
  --minutes N       no longer than so many minutes (${DEFAULTS.minutes})
  --json FILE       what was measured, as JSON too

UGATE_BINARY names a compiled program to soak instead of main.ts.
Exit codes: 0 all is well, 1 something is off, 2 used wrongly.`;

const TEXT = { type: "string" } as const;
const OPTIONS = {
  course: TEXT,
  connections: TEXT,
  minutes: TEXT,
  json: TEXT,
  help: { type: "boolean" },
} as const;

/** undefined: help is asked for. Throws Error where it is used wrongly. */
function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({ args, options: OPTIONS });
  if (values.help) return undefined;
  const number = (name: keyof typeof DEFAULTS) => {
    const value = values[name] === undefined ? DEFAULTS[name] : Number(values[name]);
    if (value > 0 && value <= MOST) return value;
    throw new RangeError(`--${name} is a number above 0, got ${JSON.stringify(values[name])}`);
  };
  const course = COURSES.find(({ name }) => name === (values.course ?? COURSES[0].name));
  if (!course) throw new RangeError(`--course is no course: ${values.course}`);
  const isTimed = values.minutes !== undefined && values.connections === undefined;
  const connections = isTimed ? MOST : number("connections");
  return { course, connections, minutes: number("minutes"), json: values.json };
}

function plans({ course, connections, minutes }: Options): Plan[] {
  const binary = Deno.env.get("UGATE_BINARY"), long = connections >= LONG;
  const program = binary ? [binary] : [Deno.execPath(), "run", "-A", MAIN];
  const mortal = (file: string) => [...MORTAL, file], counts = !binary && course.mostContexts !== undefined;
  const deaths = long ? DEATHS.many : DEATHS.few, pause = long ? PAUSES.many : PAUSES.few;
  const rest = long ? REST : 0, patience = long ? { sniff: 3, handshake: 6 } : { sniff: 1, handshake: 2 };
  const healthy: Plan = {
    name: binary ? `the binary ${binary}` : "the program",
    course,
    command: counts ? mortal : (file) => [...program, "run", "-c", file],
    counts,
    connections,
    time: minutes * 60_000,
    patience,
    rest,
    deaths: 0,
    pause,
  };
  if (!long && course.name !== CONNECTIONS.name) return [healthy]; // one course is enough for a short look at deaths
  return [healthy, {
    ...healthy,
    name: "a gate whose threads die",
    command: mortal,
    counts: false,
    connections: connections / (long ? MORTAL_SHARE : 1),
    time: 2 * deaths * pause + SPARE,
    deaths,
  }];
}

async function withServers<T>(course: Course, act: (servers: unknown) => Promise<T>): Promise<T> {
  const program = course.servers.pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value } = await reader.read();
    if (value === undefined) throw new Error("Cannot soak: the servers did not start");
    return await act(JSON.parse(value));
  } finally {
    await child.stdin.close(); // it ends with its input
    await reader.cancel();
    await child.status;
  }
}

function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

async function soak(options: Options): Promise<number> {
  const stages = await withServers(options.course, async (servers) => {
    const done: StageReport[] = [];
    for (const plan of plans(options)) {
      const told = (made: number, { memory }: { memory: number }) =>
        progress(
          `${plan.name}: ${made} of ${plan.connections} ${plan.course.unit}, ${
            (memory / (1 << 20)).toFixed(0)
          } MiB`,
        );
      done.push(await runStage(plan, servers, told));
      progress("");
      console.log(reportLines(done.at(-1)!).join("\n"));
    }
    return done;
  });
  const well = stages.every(({ problems }) => problems.length === 0);
  if (options.json) {
    await Deno.writeTextFile(
      options.json,
      `${JSON.stringify({ course: options.course.name, well, stages }, null, 2)}\n`,
    );
  }
  return well ? 0 : 1;
}

async function main(args: string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(args);
  } catch (thrown) {
    console.error(`Cannot soak: ${thrown instanceof Error ? thrown.message : thrown}\n\n${USAGE}`);
    return 2;
  }
  if (options) return await soak(options);
  console.log(USAGE);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
