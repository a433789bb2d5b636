/**
 * The load: threads that connect, each one connection at a time. As a process it gets a Job as its argument, prints a
 * Done, and ends; `stay` holds its connections until its standard input ends.
 */
import { MSG_NOSIGNAL } from "../../gate/engine/layout.ts";
import { libc } from "../../gate/engine/sys.ts";
import { quantile } from "./quantile.ts";
import { prologue } from "./upstream.ts";
import { ANSWER, CHUNK, connect, hear, isThread, type Mode, say } from "./wire.ts";

export interface Job {
  readonly mode: Mode;
  readonly port: number;
  readonly threads: number;
  /** How long connections are made, or bytes moved. */
  readonly seconds: number;
  /** stay: connections of one thread; 0: as many as the time allows. */
  readonly count: number;
  /** The ClientHello, without the mode. */
  readonly hello: readonly number[];
  /** Asked of a SOCKS5 server at `port` first: a port of 127.0.0.1. */
  readonly behindSocks?: number;
}

export interface Done {
  readonly connections: number;
  readonly failures: number;
  readonly bytes: number;
  readonly seconds: number;
  /** us to an answer: from the connect, or in an `echo` from each request on; of half and of 99 % of all at most. */
  readonly p50?: number;
  readonly p99?: number;
}

/** What one thread has done. */
interface Work {
  connections: number;
  failures: number;
  bytes: number;
  seconds: number;
  /** us, one of each answer. */
  latencies: Float64Array;
}

const bytes = new Uint8Array(CHUNK);
const latencies: number[] = [];

/** Whether an answer comes; what was waited for it counts from `since`, which is a performance.now(). */
function answered(fd: number, since: number): boolean {
  if (!hear(fd, bytes, ANSWER)) return false;
  latencies.push((performance.now() - since) * 1000);
  return true;
}

/** Asks again and again; bytes moved; -1: it failed. */
function askUntil(fd: number, until: number): number {
  const request = bytes.subarray(0, ANSWER);
  for (let moved = 0;; moved += ANSWER) {
    const since = performance.now();
    if (since >= until) return moved;
    if (!say(fd, request) || !answered(fd, since)) return -1;
  }
}

/** RFC 1928: no authentication, CONNECT, IPv4. */
function askSocks(fd: number, port: number): boolean {
  const request = Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port);
  return say(fd, Uint8Array.of(5, 1, 0)) && hear(fd, bytes, 2) && bytes[1] === 0 &&
    say(fd, request) && hear(fd, bytes, 10) && bytes[1] === 0;
}

/** Opens one connection and sends the prologue; -1 where that fails. */
function open(job: Job, start: Uint8Array): number {
  const fd = connect(job.port);
  if (fd < 0) return -1;
  if ((job.behindSocks === undefined || askSocks(fd, job.behindSocks)) && say(fd, start)) return fd;
  libc.close(fd);
  return -1;
}

/**
 * Does what the mode is with a connection that began at `since`: bytes moved; -1: it failed. Both times are on
 * performance.now().
 */
function use(fd: number, mode: Mode, since: number, until: number): number {
  if (mode === "answer") return answered(fd, since) && libc.recv(fd, bytes, 1, 0) === 0 ? ANSWER : -1;
  if (mode === "stay") return answered(fd, since) ? ANSWER : -1;
  if (mode === "echo") return askUntil(fd, until);
  let moved = 0;
  while (performance.now() < until) {
    const now = mode === "swallow"
      ? libc.send(fd, bytes, CHUNK, MSG_NOSIGNAL)
      : libc.recv(fd, bytes, CHUNK, 0);
    if (now <= 0) return -1;
    moved += now;
  }
  return moved;
}

function work(job: Job): Work {
  const start = prologue(job.hello, job.mode);
  const done = { connections: 0, failures: 0, bytes: 0 };
  const started = performance.now(), until = started + job.seconds * 1000;
  while (performance.now() < until && (job.count === 0 || done.connections < job.count)) {
    const since = performance.now();
    const fd = open(job, start);
    const moved = fd < 0 ? -1 : use(fd, job.mode, since, until);
    if (moved < 0) done.failures++;
    else done.connections++;
    done.bytes += Math.max(moved, 0);
    if (fd >= 0 && job.mode !== "stay") libc.close(fd);
  }
  const seconds = (performance.now() - started) / 1000;
  return { ...done, seconds, latencies: Float64Array.from(latencies) };
}

/** Of what all threads have done. */
function together(all: readonly Work[]): Done {
  const sum = (key: "connections" | "failures" | "bytes") => all.reduce((total, one) => total + one[key], 0);
  const sorted = Float64Array.from(all.flatMap((one) => [...one.latencies])).sort();
  return {
    connections: sum("connections"),
    failures: sum("failures"),
    bytes: sum("bytes"),
    seconds: Math.max(...all.map((one) => one.seconds)),
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
  };
}

/** Answers with what a thread said next. */
function heard<T>(worker: Worker): Promise<T> {
  return new Promise((resolve) => worker.onmessage = (event: MessageEvent<T>) => resolve(event.data));
}

async function main(job: Job): Promise<void> {
  const workers = Array.from({ length: job.threads }, () => new Worker(import.meta.url, { type: "module" }));
  await Promise.all(workers.map((worker) => heard<"ready">(worker)));
  const results = workers.map((worker) => heard<Work>(worker));
  for (const worker of workers) worker.postMessage(job);
  console.log(JSON.stringify(together(await Promise.all(results))));
  if (job.mode === "stay") { for await (const _ of Deno.stdin.readable); }
  Deno.exit(0);
}

if (isThread) {
  self.onmessage = (event: MessageEvent<Job>) => self.postMessage(work(event.data));
  self.postMessage("ready");
} else if (import.meta.main) await main(JSON.parse(Deno.args[0]));
