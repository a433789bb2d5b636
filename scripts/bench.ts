/**
 * `deno task bench [--quick] [--rounds N] [--seconds N] [--only TEXT] [--who NAMES] [--json FILE]`: the direct
 * line, HAProxy and ugate side by side in one run, taken in turn round by round; medians, and ratios, for absolute
 * numbers tell of the machine. `--only` picks measurements by a part of their name, `--who` contenders.
 */
import { parseArgs } from "node:util";
import { type Contender, direct, haproxy, SERVER_NAME, ugate } from "./bench/contenders.ts";
import {
  clientHello,
  type Idle,
  measure,
  measureIdle,
  type Measurement,
  MEASUREMENTS,
  type Sample,
  startSink,
  type Target,
  unitsOf,
} from "./bench/measure.ts";
import { isolate, surroundings } from "./bench/isolate.ts";
import { idleRows, type Row, rowsOf, table } from "./bench/table.ts";
import { find, install } from "./clients.ts";

type Start = (sink: number) => Promise<Contender>;

const STARTS: Readonly<Record<string, Start>> = { haproxy, ugate };

/** Seconds of connections through each door before anything counts. */
const WARM_UP = 0.5;

/** All of one measurement's samples, a list for each contender. */
type Samples<T> = Record<string, T[]>;

const add = <T>(samples: Samples<T>, who: string, sample: T | undefined) => {
  if (sample !== undefined) (samples[who] ??= []).push(sample);
};

/** Throughput, connections and their CPU: everyone stands, and is measured in turn. */
async function underLoad(
  list: readonly Measurement[],
  starts: readonly Start[],
  hello: readonly number[],
  options: Options,
): Promise<Row[]> {
  await using sink = await startSink(hello);
  await using stack = new AsyncDisposableStack();
  const contenders = [direct(sink.port)];
  for (const start of starts) contenders.push(stack.use(await start(sink.port)));
  const to: Target = { sink: sink.port, hello };
  progress("warming up");
  for (const who of contenders) {
    // Code is compiled for its first connections, memory taken: that is not what a gateway does all day.
    for (const what of MEASUREMENTS) if (what.mode === "answer") await measure(what, who, to, WARM_UP);
  }
  const samples = new Map<Measurement, Samples<Sample>>(list.map((what) => [what, {}]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const what of list) {
      progress(`round ${round} of ${options.rounds}: ${what.name}`);
      for (const who of contenders) {
        add(samples.get(what)!, who.name, await measure(what, who, to, options.seconds));
      }
    }
  }
  return list.flatMap((what) => rowsOf(what.name, unitsOf(what), samples.get(what)!));
}

/** Idle connections and start-up: a fresh process each time, for a used one hides what it has in reserve. */
async function whenIdle(starts: readonly Start[], hello: readonly number[], rounds: number): Promise<Row[]> {
  const samples: Samples<Idle> = {};
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}: idle connections`);
    for (const start of starts) add(samples, start.name, await measureIdle(start, hello));
  }
  return idleRows(samples);
}

function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: string;
  readonly who: readonly string[];
  readonly json?: string;
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string", default: "" },
      who: { type: "string", default: Object.keys(STARTS).join(",") },
      json: { type: "string" },
    },
  });
  const number = (name: "rounds" | "seconds", quick: number, thorough: number) => {
    const value = values[name] === undefined ? (values.quick ? quick : thorough) : Number(values[name]);
    if (value > 0 && value <= 60) return value;
    throw new Error(`Cannot measure: --${name} is from 0 to 60, got ${JSON.stringify(values[name])}`);
  };
  const { only, json } = values, who = values.who.split(",");
  const stranger = who.find((name) => !Object.hasOwn(STARTS, name));
  if (stranger !== undefined) {
    throw new Error(`Cannot measure ${stranger}: there are ${Object.keys(STARTS).join(", ")}`);
  }
  return { rounds: number("rounds", 1, 5), seconds: number("seconds", 0.5, 2), only, who, json };
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  const missing = options.who.includes("haproxy") && !find("haproxy") ? ["haproxy"] : [];
  if (missing.length > 0) {
    console.error("Without HAProxy there is nothing to compare with but the direct line.");
  }
  const starts = options.who.filter((name) => !missing.includes(name)).map((name) => STARTS[name]);
  const hello = await clientHello(SERVER_NAME);
  const wanted = MEASUREMENTS.filter((what) => what.name.includes(options.only));
  const rows = wanted.length > 0 ? await underLoad(wanted, starts, hello, options) : [];
  if ("idle".includes(options.only)) rows.push(...await whenIdle(starts, hello, Math.min(options.rounds, 3)));
  progress("");
  console.log(table(rows).join("\n"));
  console.log(
    `Medians of ${options.rounds} rounds of ${options.seconds} s; ${surroundings()}; load ${
      Deno.loadavg()[0].toFixed(1)
    }.`,
  );
  if (options.json) {
    await Deno.writeTextFile(options.json, `${JSON.stringify({ options, rows }, undefined, 2)}\n`);
  }
}

if (import.meta.main) {
  await install(["haproxy"]); // before the network is left behind
  const code = await isolate(import.meta.filename!, Deno.args);
  if (code === undefined) await main(Deno.args);
  else Deno.exit(code);
}
