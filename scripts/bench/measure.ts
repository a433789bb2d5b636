/** One measurement of one contender: a load is started against one of its doors, and its CPU time is read around it. */
import type { Contender } from "./contenders.ts";
import type { Done, Job } from "./load.ts";
import { Child } from "./process.ts";
import type { Door } from "./servers.ts";
import type { Figure } from "./table.ts";
import type { Upstream } from "./upstream.ts";
import type { Mode } from "./wire.ts";

export interface Measurement {
  readonly name: string;
  readonly door: Door;
  /** The door of those who have no such one: what they are compared with. */
  readonly instead?: Door;
  readonly mode: Exclude<Mode, "stay">;
  /** So many connections at one time. */
  readonly threads: number;
  /** What it tells: Gbit/s and CPU seconds per GB, connections per second and CPU us of each, or us to an answer. */
  readonly tells: "bulk" | "connections" | "latency";
}

/** Threads that connect at one time, where the most is asked for. */
const CONNECTING = 16;

const bulk = (door: Door) =>
  [1, 8].flatMap((threads) => {
    const streams = `${threads} stream${threads > 1 ? "s" : ""}, ${door}`, tells = "bulk";
    return [
      { name: `bulk up, ${streams}`, door, mode: "swallow", threads, tells },
      { name: `bulk down, ${streams}`, door, mode: "pour", threads, tells },
    ] as const;
  });

const connections = { mode: "answer", threads: CONNECTING, tells: "connections" } as const;
const latency = { threads: 1, tells: "latency" } as const;

export const MEASUREMENTS: readonly Measurement[] = [
  ...bulk("forward"),
  ...bulk("sni"),
  { name: "new connections, forward", door: "forward", ...connections },
  { name: "new connections, sni", door: "sni", ...connections },
  { name: "new connections, socks (others: sni)", door: "socks", instead: "sni", ...connections },
  { name: "request and answer, forward", door: "forward", mode: "echo", ...latency },
  { name: "connect to answer, forward", door: "forward", mode: "answer", ...latency },
  { name: "connect to answer, sni", door: "sni", mode: "answer", ...latency },
];

/** What `stay` and the rest have in common. */
export function jobFor(
  door: Door,
  port: number,
  upstream: Upstream,
  rest: Pick<Job, "mode" | "threads" | "seconds" | "count">,
): Job {
  const { hello, port: target } = upstream;
  return { ...rest, port, hello, ...(door === "socks" ? { behindSocks: target } : {}) };
}

/** What a contender did in so many seconds; none: it has no such door. Throws where one connection of 100 failed. */
export async function measure(
  what: Measurement,
  who: Contender,
  upstream: Upstream,
  seconds: number,
): Promise<Figure[]> {
  const { mode, threads } = what;
  const door = who.doors[what.door] === undefined ? what.instead : what.door;
  const port = door && who.doors[door];
  if (!door || port === undefined) return [];
  const before = who.child?.cpu() ?? 0;
  const job = jobFor(door, port, upstream, { mode, threads, seconds, count: 0 });
  await using load = Child.script("load.ts", JSON.stringify(job));
  const done: Done = JSON.parse(await load.line(seconds * 1000 + 30_000));
  const spent = who.child ? who.child.cpu() - before : undefined;
  if (done.failures > done.connections / 100) {
    throw new Error(`Cannot measure ${what.name} of ${who.name}: ${done.failures} of its connections failed`);
  }
  return figuresOf(what, done, spent);
}

/** `spent`: CPU seconds; undefined: nobody stands between. */
function figuresOf({ name, tells }: Measurement, done: Done, spent: number | undefined): Figure[] {
  const figures: Figure[] = [];
  const tell = (unit: string, value: number | undefined) => {
    if (value !== undefined) figures.push({ name, unit, value });
  };
  if (tells === "bulk") {
    tell("Gbit/s", done.bytes * 8 / 1e9 / done.seconds);
    tell("CPU s/GB", per(spent, done.bytes / 1e9));
  } else if (tells === "connections") {
    tell("1/s", done.connections / done.seconds);
    tell("CPU us each", per(spent, done.connections / 1e6));
  } else {
    tell("p50 us", done.p50);
    tell("p99 us", done.p99);
  }
  return figures;
}

const per = (spent: number | undefined, amount: number) =>
  spent === undefined || amount === 0 ? undefined : spent / amount;
