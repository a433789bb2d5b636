/** One measurement of one contender: a load is started against one of its doors, and its CPU time is read around it. */
import type { Contender, Door } from "./contenders.ts";
import type { Done, Job } from "./load.ts";
import { Child, mostDescriptors } from "./process.ts";
import type { Mode } from "./wire.ts";

export interface Measurement {
  readonly name: string;
  readonly door: Door;
  readonly mode: Exclude<Mode, "stay">;
  readonly threads: number;
}

/** Of bulk: Gbit/s and CPU seconds per GB; of connections: 1/s and CPU us for each. */
export interface Sample {
  readonly rate: number;
  /** undefined: nothing stands between, or it moved too little to tell. */
  readonly cost?: number;
}

export interface Idle {
  /** KiB of the process before any load, and for each idle connection. */
  readonly process: number;
  readonly connection: number;
  /** ms to the first accepted connection. */
  readonly startup: number;
}

/** Threads that connect at one time. */
const CONNECTING = 16;
/** Idle connections, where descriptors allow. */
const IDLE = 5000;
/** ms that a process has to put away what opening connections needed. */
const SETTLE = 1500;

export const MEASUREMENTS: readonly Measurement[] = [
  ...(["forward", "sni"] as const).flatMap((door) => [
    { name: `bulk up, 1 stream, ${door}`, door, mode: "swallow", threads: 1 } as const,
    { name: `bulk down, 1 stream, ${door}`, door, mode: "pour", threads: 1 } as const,
    { name: `bulk up, 8 streams, ${door}`, door, mode: "swallow", threads: 8 } as const,
    { name: `bulk down, 8 streams, ${door}`, door, mode: "pour", threads: 8 } as const,
  ]),
  ...(["forward", "sni", "socks"] as const).map((door) => (
    { name: `new connections, ${door}`, door, mode: "answer", threads: CONNECTING } as const
  )),
];

/** The unit of its rate and of its cost. */
export const unitsOf = (what: Measurement): [string, string] =>
  what.mode === "answer" ? ["1/s", "CPU us each"] : ["Gbit/s", "CPU s/GB"];

/** A real ClientHello for a server name: what Deno's own TLS sends first. */
export async function clientHello(name: string): Promise<number[]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const plain = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await listener.accept();
  const client = await Deno.startTls(plain, { hostname: name });
  const failed = client.handshake().catch(() => {}); // it will: nobody answers
  const record = new Uint8Array(16 * 1024);
  let size = 0;
  // RFC 8446 5.1: a header of five bytes that ends with the length.
  while (size < 5 || size < 5 + (record[3] << 8 | record[4])) {
    size += (await server.read(record.subarray(size)))!;
  }
  server.close();
  await failed;
  client.close();
  return [...record.subarray(0, size)];
}

export interface Target {
  readonly sink: number;
  readonly hello: readonly number[];
}

function jobFor(
  door: Door,
  port: number,
  to: Target,
  rest: Pick<Job, "mode" | "threads" | "seconds" | "count">,
): Job {
  return { ...rest, port, hello: to.hello, ...(door === "socks" ? { behindSocks: to.sink } : {}) };
}

/** undefined: this contender has no such door. */
export async function measure(
  what: Measurement,
  who: Contender,
  to: Target,
  seconds: number,
): Promise<Sample | undefined> {
  const { mode, threads, door } = what;
  const port = who.doors[door];
  if (port === undefined) return undefined;
  const before = who.child?.cpu() ?? 0;
  await using load = Child.script(
    "load.ts",
    JSON.stringify(jobFor(door, port, to, { mode, threads, seconds, count: 0 })),
  );
  const done: Done = JSON.parse(await load.line(seconds * 1000 + 30_000));
  const spent = who.child ? who.child.cpu() - before : undefined;
  if (done.failures > done.connections / 100) {
    throw new Error(`Cannot measure ${what.name} of ${who.name}: ${done.failures} of its connections failed`);
  }
  const bulk = mode !== "answer";
  const amount = bulk ? done.bytes / 1e9 : done.connections / 1e6;
  return {
    rate: bulk ? done.bytes * 8 / 1e9 / done.seconds : done.connections / done.seconds,
    cost: spent === undefined || amount === 0 ? undefined : spent / amount,
  };
}

/** Memory of a fresh process, and of each of many idle connections through its route by SNI. */
export async function measureIdle(
  start: (sink: number) => Promise<Contender>,
  hello: readonly number[],
): Promise<Idle> {
  await using sink = await startSink(hello);
  await using who = await start(sink.port);
  const child = who.child!, door = "sni", port = who.doors[door]!;
  const process = child.memory();
  const to = { sink: sink.port, hello };
  await measure({ name: "warming up", door, mode: "answer", threads: 4 }, who, to, 0.3);
  await settle();
  const before = child.memory();
  // The process between has two descriptors of each; the sink and the load one.
  const count = Math.min(IDLE, Math.floor((mostDescriptors() - 1000) / 3));
  const job = jobFor(door, port, to, { mode: "stay", threads: 1, seconds: 30, count });
  await using load = Child.script("load.ts", JSON.stringify(job));
  const done: Done = JSON.parse(await load.line(60_000));
  if (done.connections < count) {
    throw new Error(`Cannot measure idle connections: only ${done.connections} opened`);
  }
  await settle();
  return { process, connection: (child.memory() - before) / count, startup: who.startup! };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE));

export interface Sink extends AsyncDisposable {
  readonly port: number;
}

/** The upstream process; the prologue is the hello and one byte. */
export async function startSink(hello: readonly number[]): Promise<Sink> {
  const child = Child.script("sink.ts", String(hello.length + 1));
  return { port: Number(await child.line()), [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}
