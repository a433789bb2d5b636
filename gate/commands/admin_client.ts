/** Asks a running gate over its admin page. Every question has a deadline, every answer a bound. */
import { type IncomingMessage, request } from "node:http";
import { formatTarget, isUnixHost, type Target } from "../address.ts";
import { GateError } from "../errors.ts";
import { userOf } from "./answerer.ts";
import { visible } from "../visible.ts";

export interface Question {
  readonly method?: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  readonly body?: string;
  /** ms for the whole answer. */
  readonly time?: number;
  /** Gives up: nobody waits any more. */
  readonly signal?: AbortSignal;
  /** Nobody is told that it takes long. */
  readonly quiet?: boolean;
  /** The answer tells whose it is. */
  readonly whose?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The user who answered, where that was asked and is known. */
  readonly user?: number;
}

/** ms */
const TIME = 10_000;
/** ms after which somebody may wonder. */
const SLOW = 1000;
/** Some 100,000 connections. */
const MOST_ANSWERED = 64 * 1024 * 1024;
/** What a person needs of a page that is no data. */
const MOST_SAID = 400;

export class AdminClient {
  /** `slow` is called where an answer takes more than a second. */
  constructor(readonly target: Target, readonly slow: () => void) {}

  /** Where the gate is, as people write it. */
  get place(): string {
    return formatTarget(this.target);
  }

  /** JSON of a page, which `is` judges. Throws GateError where the gate is not there, says no, or something else. */
  async json<T>(question: Question, is: (value: unknown) => value is T, statuses = [200]): Promise<T> {
    return this.#read(question, await this.ask(question), is, statuses);
  }

  /** As json, and the user who answered; undefined: the gate has no such thing now. */
  async optional<T>(
    question: Question,
    is: (value: unknown) => value is T,
  ): Promise<{ readonly value: T; readonly user?: number } | undefined> {
    const answer = await this.ask(question);
    if (answer.status === 404) return undefined;
    return { value: this.#read(question, answer, is, [200]), user: answer.user };
  }

  /** The answer, whatever it is. Throws GateError where there is none. */
  async ask(question: Question): Promise<Answer> {
    const slow = question.quiet ? undefined : setTimeout(this.slow, SLOW);
    try {
      return await exchange(this.target, question);
    } catch (thrown) {
      if (question.signal?.aborted) throw thrown;
      throw new GateError("unreachable", "gate", `Cannot reach the gate at ${this.place}: ${reason(thrown)}`);
    } finally {
      clearTimeout(slow);
    }
  }

  #read<T>(
    { method = "GET", path }: Question,
    { status, text }: Answer,
    is: (value: unknown) => value is T,
    statuses: readonly number[],
  ): T {
    const good = statuses.includes(status);
    const value = good ? parsed(text) : undefined;
    if (value !== undefined && is(value)) return value;
    const act = `Cannot ${method} ${path.replace(/\?.*/, "")} of the gate at ${this.place}`;
    const state = good
      ? "what it answers is not what was asked for"
      : `it answers ${status}: ${firstLine(text)}`;
    throw new GateError("unsupported", "gate", `${act}: ${state}`);
  }
}

/**
 * By node:http: `fetch` would go through a proxy of the environment, which may be this very gate, and blocks some ports;
 * and this knows unix sockets.
 */
async function exchange(
  target: Target,
  { method = "GET", path, body, time = TIME, signal, whose = false }: Question,
): Promise<Answer> {
  const { host, port } = target;
  signal?.throwIfAborted();
  const done = Promise.withResolvers<Answer>();
  const unix = isUnixHost(host);
  const asked = request({
    ...unix ? { socketPath: host.slice("unix:".length) } : { host, port },
    method,
    path,
    headers: {
      ...unix && { host: "localhost" },
      ...body !== undefined && { "content-type": "application/yaml" },
      ...whose && { connection: "keep-alive" }, // whose a connection was cannot be told when it is closed
    },
    agent: false,
  }, (response) => {
    const user = whose ? userOf(target, response.socket) : Promise.resolve(undefined);
    user.then((user) => gather(response, user, done), done.reject);
  });
  asked.on("error", done.reject);
  const giveUp = () => done.reject(new Error("nobody waits any more"));
  const timer = setTimeout(() => done.reject(new Error(`no answer within ${time / 1000} s`)), time);
  signal?.addEventListener("abort", giveUp, { once: true });
  asked.end(body);
  try {
    return await done.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    asked.destroy();
  }
}

function gather(
  response: IncomingMessage,
  user: number | undefined,
  done: PromiseWithResolvers<Answer>,
): void {
  const chunks: Uint8Array[] = [];
  let size = 0;
  response.on("data", (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > MOST_ANSWERED) done.reject(new Error("its answer is too long"));
    else chunks.push(chunk);
  });
  response.on("end", () =>
    done.resolve({
      status: response.statusCode ?? 0,
      text: new TextDecoder().decode(joined(chunks, size)),
      user,
    }));
  response.on("error", done.reject);
  response.on("close", () => done.reject(new Error("it ended in the middle of its answer")));
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there; is it running?",
  ENOENT: "there is no such socket; is it running?",
  EACCES: "this user may not use that socket",
  EPERM: "this user may not use that socket",
  ENOTFOUND: "this name has no address",
  ECONNRESET: "the connection was cut",
};

function reason(thrown: unknown): string {
  const { code, message } = thrown as { code?: unknown; message?: unknown };
  if (typeof code === "string" && code.startsWith("HPE_")) return "what answers there speaks no HTTP";
  return REASONS[String(code)] ?? visible(String(message));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function firstLine(text: string): string {
  return visible(text.slice(0, MOST_SAID).split("\n")[0]);
}
