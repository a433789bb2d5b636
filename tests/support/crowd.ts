/**
 * Clients by the thousand in a process of their own: plain sockets that connect, say a few bytes or nothing, and stay.
 * Run as a program it obeys orders, a line of JSON each, and answers each with a line.
 */
import { parseIp } from "../../gate/address.ts";
import { AF_INET, SO_SNDTIMEO, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "../../gate/engine/layout.ts";
import { EADDRINUSE, EAGAIN, MSG_NOSIGNAL, MSG_PEEK } from "../../gate/engine/layout.ts";
import { ipSocketAddress } from "../../gate/engine/sockaddr.ts";
import { errno, libc } from "../../gate/engine/sys.ts";
import { find } from "../../scripts/clients.ts";

export interface Opening {
  readonly host?: string;
  readonly port: number;
  /** The address they come from. */
  readonly from?: string;
  readonly count: number;
  /** What each says first; nothing by default. */
  readonly say?: string;
}

type Order =
  | { readonly act: "open"; readonly opening: Opening }
  | { readonly act: "ask"; readonly opening: Opening; readonly size: number }
  | { readonly act: "count" | "close" };

/** ms for the whole of one order; a connect waits for the half of it at most. */
const ORDER_TIME = 60_000;

export class Crowd implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncIterator<string>;

  /** `before` is put before the program: `nsenter`, say. */
  constructor(before: readonly string[] = []) {
    const command = [...before, Deno.execPath(), "run", "-A", import.meta.filename!];
    this.#process = new Deno.Command(find(command[0]) ?? command[0], {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#orders = this.#process.stdin.getWriter();
    this.#answers = linesOf(this.#process.stdout);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Connects so many, one after the other; how many stood. */
  open(opening: Opening): Promise<number> {
    return this.#order({ act: "open", opening });
  }

  /** One more connection that says something: the first `size` bytes it is answered, or what came until it ended. */
  ask(opening: Omit<Opening, "count">, size: number): Promise<string> {
    return this.#order({ act: "ask", opening: { ...opening, count: 1 }, size });
  }

  /** How many are still open: the gate neither ended nor reset them. */
  left(): Promise<number> {
    return this.#order({ act: "count" });
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    await this.#order({ act: "close" });
  }

  async #order<T>(order: Order): Promise<T> {
    await this.#orders.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
    const late = setTimeout(() => this.#process.kill("SIGKILL"), ORDER_TIME);
    const { value, done } = await this.#answers.next();
    clearTimeout(late);
    if (done) throw new Error(`the crowd ended at ${order.act}`);
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close().catch(() => {}); // it ends with its input
    await this.#answers.return?.();
    await this.#process.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

const MSG_DONTWAIT = 0x40, SO_RCVTIMEO = 20;
const FIRST_PORT = 10_000, LAST_PORT = 65_535;

const fds: number[] = [];
let nextPort = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
const byte = new Uint8Array(1);

/** One more connection, which blocks at most half of an order's time; false: it did not stand. */
function connected({ host = "127.0.0.1", port, from = "127.0.0.1", say = "" }: Opening): boolean {
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const timeval = new Uint8Array(16);
  new DataView(timeval.buffer).setUint32(0, ORDER_TIME / 2000, true);
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval, 16);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, 16);
  const bytes = new TextEncoder().encode(say);
  const stood = bound(fd, from) &&
    libc.connect(fd, addressOf(host, port), 16) === 0 &&
    (say === "" || libc.send(fd, bytes, bytes.length, MSG_NOSIGNAL) === bytes.length);
  if (stood) fds.push(fd);
  else libc.close(fd);
  return stood;
}

/** The kernel would search long for a free port when most are taken: each is tried here once. */
function bound(fd: number, from: string): boolean {
  for (let tries = 0; tries < LAST_PORT - FIRST_PORT; tries++) {
    nextPort = nextPort === LAST_PORT ? FIRST_PORT : nextPort + 1;
    if (libc.bind(fd, addressOf(from, nextPort), 16) === 0) return true;
    if (errno() !== EADDRINUSE) return false;
  }
  return false;
}

const addressOf = (host: string, port: number): Uint8Array => ipSocketAddress(parseIp(host)!, port).bytes;

function open(opening: Opening): number {
  let stood = 0;
  for (let i = 0; i < opening.count; i++) if (connected(opening)) stood++;
  return stood;
}

function ask(opening: Opening, size: number): string {
  if (!connected(opening)) return "";
  const fd = fds.pop()!, answer = new Uint8Array(size);
  let got = 0;
  for (let more = 1; more > 0 && got < size; got += Math.max(more, 0)) {
    more = libc.recv(fd, answer.subarray(got), size - got, 0);
  }
  libc.close(fd);
  return new TextDecoder().decode(answer.subarray(0, got));
}

function count(): number {
  let left = 0;
  for (const fd of fds) {
    const got = libc.recv(fd, byte, 1, MSG_PEEK | MSG_DONTWAIT);
    const code = got < 0 ? errno() : 0;
    if (got > 0 || code === EAGAIN) left++;
  }
  return left;
}

function obey(order: Order): unknown {
  if (order.act === "open") return open(order.opening);
  if (order.act === "ask") return ask(order.opening, order.size);
  if (order.act === "count") return count();
  for (const fd of fds.splice(0)) libc.close(fd);
  return null;
}

if (import.meta.main) {
  for await (const line of linesOf(Deno.stdin.readable)) console.log(JSON.stringify(obey(JSON.parse(line))));
}
