/** The keys of one issuer from its URL: fetched when they are needed, kept, and fetched again when another one is. */
import { causeChain, GateError } from "./errors.ts";
import { type KeySet, readKeySet } from "./key_set.ts";
import type { Message } from "./log.ts";
import type { Scope } from "./scope.ts";

/** Keys are good for so long; where they cannot be fetched anew then, they go on until they are so old. ms */
const FRESH = 10 * 60_000, OLDEST = 24 * 3_600_000;
/** Pause after a failure, and between fetches that unknown keys are the reason of, ms. */
const REST = 5000, COOLDOWN = 10_000;
const DEADLINE = 5000;
const MOST_BYTES = 1024 * 1024;

export interface RemoteKeysOptions {
  /** Owns what is fetched. */
  readonly scope: Pick<Scope, "spawn" | "stopping">;
  readonly say: (message: Message) => void;
  /** ms, monotonic. */
  readonly now?: () => number;
}

export class RemoteKeys {
  readonly #url: string;
  readonly #issuer: string;
  readonly #options: RemoteKeysOptions;
  readonly #now: () => number;
  #set: KeySet | undefined;
  #fetching: Promise<void> | undefined;
  #fetchedAt = -Infinity;
  #missedAt = -Infinity;
  /** Of the last attempt, where it failed. */
  #failedAt: number | undefined;
  #failure: unknown;

  constructor(issuer: string, url: string, options: RemoteKeysOptions) {
    this.#issuer = issuer;
    this.#url = url;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * The keys: those of the last 10 minutes, or new ones. While the URL fails, the last ones, and nobody waits for it.
   * Rejects with GateError "unreachable" where there are none, or none of the last day.
   */
  async current(): Promise<KeySet> {
    if (this.#age > FRESH) {
      const failed = this.#failedAt !== undefined && this.#age <= OLDEST;
      const fetching = this.#fetch();
      if (!failed) await fetching;
    }
    if (this.#set && this.#age <= OLDEST) return this.#set;
    throw new GateError(
      "unreachable",
      "gate",
      `Cannot verify tokens of ${this.#issuer}: its keys are not known`,
      this.#failure,
    );
  }

  /** The keys again, for who looks for one that they have not; undefined: they were fetched for that a moment ago. */
  async renewed(): Promise<KeySet | undefined> {
    if (!this.#fetching) {
      if (this.#now() - this.#missedAt < COOLDOWN) return undefined;
      this.#missedAt = this.#now();
    }
    const before = this.#set;
    await this.#fetch();
    return this.#set === before ? undefined : this.#set;
  }

  get #age(): number {
    return this.#now() - this.#fetchedAt;
  }

  /** Never rejects, and asks once at a time. undefined: the URL failed just now. */
  #fetch(): Promise<void> | undefined {
    if (this.#fetching) return this.#fetching;
    if (this.#failedAt !== undefined && this.#now() - this.#failedAt < REST) return undefined;
    this.#fetching = this.#update().finally(() => this.#fetching = undefined);
    this.#options.scope.spawn("keys", this.#fetching);
    return this.#fetching;
  }

  async #update(): Promise<void> {
    const failedBefore = this.#failedAt !== undefined;
    try {
      const text = await fetchText(this.#url, this.#options.scope.stopping);
      const set = readKeySet(text);
      if (typeof set === "string") {
        throw new GateError("malformed", "upstream", `Cannot use ${this.#url}: ${set}`);
      }
      this.#set = set;
      this.#fetchedAt = this.#now();
      this.#failedAt = this.#failure = undefined;
      if (failedBefore) this.#tell("info", `the keys of ${this.#issuer} are there again`);
    } catch (thrown) {
      this.#failedAt = this.#now();
      this.#failure = thrown;
      if (failedBefore || this.#options.scope.stopping.aborted) return;
      const meanwhile = this.#set ? "the last ones go on for a day" : "its tokens cannot be verified";
      this.#tell("warn", `the keys of ${this.#issuer} cannot be had, ${meanwhile}: ${causeChain(thrown)}`);
    }
  }

  #tell(level: "info" | "warn", text: string): void {
    this.#options.say({ level, event: "warning", text });
  }
}

/** Within a deadline and a size, from this URL alone: what it redirects to is not what the operator named. */
async function fetchText(url: string, stopping: AbortSignal): Promise<string> {
  const controller = new AbortController();
  const stop = () => controller.abort(stopping.reason);
  const late = new GateError(
    "timeout",
    "upstream",
    `Cannot get ${url}: no answer within ${DEADLINE / 1000} s`,
  );
  const timer = setTimeout(() => controller.abort(late), DEADLINE);
  stopping.addEventListener("abort", stop, { once: true });
  try {
    const headers = { accept: "application/jwk-set+json, application/json" };
    const response = await fetch(url, { signal: controller.signal, redirect: "manual", headers });
    if (response.status === 200 && response.body) return await readText(url, response.body);
    await response.body?.cancel();
    throw new GateError("unsupported", "upstream", `Cannot get ${url}: the answer is ${response.status}`);
  } finally {
    clearTimeout(timer);
    stopping.removeEventListener("abort", stop);
  }
}

async function readText(url: string, body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", size = 0;
  for await (const bytes of body) { // leaving it early cancels it
    size += bytes.length;
    if (size > MOST_BYTES) {
      throw new GateError("malformed", "upstream", `Cannot get ${url}: more than ${MOST_BYTES} bytes`);
    }
    text += decoder.decode(bytes, { stream: true });
  }
  return text;
}
