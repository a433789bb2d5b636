/**
 * The load: threads that connect, each one connection at a time. As a process it gets a Job as its argument, prints a
 * Done, and ends; `stay` holds its connections until its standard input ends.
 */
import { MSG_NOSIGNAL } from "../../gate/engine/layout.ts";
import { libc } from "../../gate/engine/sys.ts";
import { ANSWER, CHUNK, connect, hear, isThread, type Mode, MODES, say } from "./wire.ts";

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
  connections: number;
  failures: number;
  bytes: number;
  seconds: number;
}

const bytes = new Uint8Array(CHUNK);

/** RFC 1928: no authentication, CONNECT, IPv4. */
function askSocks(fd: number, port: number): boolean {
  const request = Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port);
  return say(fd, Uint8Array.of(5, 1, 0)) && hear(fd, bytes, 2) && bytes[1] === 0 &&
    say(fd, request) && hear(fd, bytes, 10) && bytes[1] === 0;
}

/** Opens one connection and sends the prologue; -1 where that fails. */
function open(job: Job, prologue: Uint8Array): number {
  const fd = connect(job.port);
  if (fd < 0) return -1;
  if ((job.behindSocks === undefined || askSocks(fd, job.behindSocks)) && say(fd, prologue)) return fd;
  libc.close(fd);
  return -1;
}

/** Does what the mode is with an open connection: bytes moved; -1: it failed. `until` is on performance.now(). */
function use(fd: number, mode: Mode, until: number): number {
  if (mode === "answer") return hear(fd, bytes, ANSWER) && libc.recv(fd, bytes, 1, 0) === 0 ? ANSWER : -1;
  if (mode === "stay") return hear(fd, bytes, ANSWER) ? ANSWER : -1;
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

function work(job: Job): Done {
  const prologue = Uint8Array.of(...job.hello, MODES[job.mode]);
  const done: Done = { connections: 0, failures: 0, bytes: 0, seconds: 0 };
  const started = performance.now(), until = started + job.seconds * 1000;
  while (performance.now() < until && (job.count === 0 || done.connections < job.count)) {
    const fd = open(job, prologue);
    const moved = fd < 0 ? -1 : use(fd, job.mode, until);
    if (moved < 0) done.failures++;
    else done.connections++;
    done.bytes += Math.max(moved, 0);
    if (fd >= 0 && job.mode !== "stay") libc.close(fd);
  }
  done.seconds = (performance.now() - started) / 1000;
  return done;
}

/** Answers with what a thread said next. */
function heard<T>(worker: Worker): Promise<T> {
  return new Promise((resolve) => worker.onmessage = (event: MessageEvent<T>) => resolve(event.data));
}

async function main(job: Job): Promise<void> {
  const workers = Array.from({ length: job.threads }, () => new Worker(import.meta.url, { type: "module" }));
  await Promise.all(workers.map((worker) => heard<"ready">(worker)));
  const results = workers.map((worker) => heard<Done>(worker));
  for (const worker of workers) worker.postMessage(job);
  const done = await Promise.all(results);
  const sum = (key: keyof Done) => done.reduce((total, one) => total + one[key], 0);
  const seconds = Math.max(...done.map((one) => one.seconds));
  const all: Done = {
    connections: sum("connections"),
    failures: sum("failures"),
    bytes: sum("bytes"),
    seconds,
  };
  console.log(JSON.stringify(all));
  if (job.mode === "stay") { for await (const _ of Deno.stdin.readable); }
  Deno.exit(0);
}

if (isThread) {
  self.onmessage = (event: MessageEvent<Job>) => self.postMessage(work(event.data));
  self.postMessage("ready");
} else if (import.meta.main) await main(JSON.parse(Deno.args[0]));
