/**
 * What an engine asks main: where a name lives, whether a password or a token is right. Answers about names are kept for their
 * lifetime, negatives too, and one question is in flight for each name.
 */
import type { Destination, Target, TokenAnswer } from "./contracts.ts";
import { formatTarget, hostMatches, isUnixHost, parseIp } from "./address.ts";
import type { Answer, Failed, GivenToken, Login, LoginAnswer, Question } from "./orders.ts";
import { atLimit, GateError } from "./errors.ts";
import { sourceNetwork } from "./networks.ts";
import { after, now, promiseResolved } from "./engine/loop.ts";

/** Main answers within its own deadlines; this one is for a main that does not, ms. */
const DEADLINE = 15_000;
/** Questions that may wait for main at once: beyond, "exhausted". */
const MOST_ASKED = 4096;
/** Names that one source may wait for at once: beyond, "exhausted" for this source and for nobody else. */
const MOST_OF_SOURCE = 128;
/** Destinations that are kept. */
const MOST_KEPT = 4096;
/** How long "nobody knows this name" is kept, ms; discovery has the exact time. */
const NEGATIVE = 1000;

type Asked = { readonly settle: (answer: Answer) => void; readonly stop: () => void };
type Kept = { readonly destination: Destination | undefined; readonly until: number };

export class Questions {
  readonly #post: (id: number, question: Question) => void;
  #next = 1;
  #asked = new Map<number, Asked>();
  #kept = new Map<string, Kept>();
  #flying = new Map<string, Promise<Destination | undefined>>();
  /** How many names are asked for each source, by its network. */
  readonly #ofSource = new Map<string, number>();
  /** Counts what was forgotten: an answer that was on its way meanwhile is not kept. */
  #forgotten = 0;

  constructor(post: (id: number, question: Question) => void, readonly deadline: number = DEADLINE) {
    this.#post = post;
  }

  /**
   * Where it lives; undefined: nobody knows. Literals are not asked for. `source` (an IP literal, or "unix") is who
   * wants to know: its names count as its own until main answers, even when it is gone by then.
   */
  resolve(target: Target, source?: string): Destination | undefined | Promise<Destination | undefined> {
    if (isUnixHost(target.host) || parseIp(target.host)) return literal(target);
    const key = formatTarget(target);
    const kept = this.#kept.get(key);
    if (kept && kept.until > now) return kept.destination;
    const flying = this.#flying.get(key);
    if (flying) return flying;
    const network = source === undefined ? undefined : sourceNetwork(source);
    if (network !== undefined && this.#waiting(network) >= MOST_OF_SOURCE) {
      return Promise.reject(tooMany(key));
    }
    const asked = this.#resolveFor(network, target, key).finally(() => {
      if (this.#flying.get(key) === asked) this.#flying.delete(key);
    });
    this.#flying.set(key, asked);
    return asked;
  }

  async login(login: Login): Promise<LoginAnswer> {
    const answer = await this.#ask({ ask: "login", login });
    return "login" in answer ? answer.login : "wrong";
  }

  /** Rejects with GateError where the keys to verify it are not known. */
  async token(given: GivenToken): Promise<TokenAnswer | "throttled"> {
    const answer = await this.#ask({ ask: "token", given });
    if ("token" in answer) return answer.token;
    throw new GateError("internal", "gate", "Cannot verify a token: the answer is about something else");
  }

  /** Main has answered. */
  answered(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    asked?.stop();
    asked?.settle(answer);
  }

  /** What was known of names that these patterns cover holds no more; what is on its way answers who asked, alone. */
  forget(patterns: readonly string[]): void {
    this.#forgotten++;
    for (const known of [this.#kept, this.#flying]) {
      for (const key of known.keys()) {
        const host = key.slice(0, key.lastIndexOf(":"));
        if (patterns.some((pattern) => hostMatches(pattern, host))) known.delete(key);
      }
    }
  }

  #waiting(network: string): number {
    return this.#ofSource.get(network) ?? 0;
  }

  async #resolveFor(network: string | undefined, target: Target, key: string) {
    if (network === undefined) return await this.#resolve(target, key);
    this.#ofSource.set(network, this.#waiting(network) + 1);
    try {
      return await this.#resolve(target, key);
    } finally {
      const left = this.#waiting(network) - 1;
      if (left > 0) this.#ofSource.set(network, left);
      else this.#ofSource.delete(network);
    }
  }

  async #resolve(target: Target, key: string): Promise<Destination | undefined> {
    const forgotten = this.#forgotten;
    const answer = await this.#ask({ ask: "resolve", target });
    const destination = "destination" in answer ? answer.destination : undefined;
    const lifetime = destination ? destination.lifetime : NEGATIVE;
    this.#kept.delete(key);
    if (lifetime > 0 && forgotten === this.#forgotten) {
      this.#kept.set(key, { destination, until: now + lifetime });
    }
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return destination;
  }

  #ask(question: Question): Promise<Answer> {
    if (this.#asked.size >= MOST_ASKED) {
      return Promise.reject(
        atLimit(
          "names",
          new GateError("exhausted", "gate", "Cannot ask the main thread: too many questions wait"),
        ),
      );
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer) => {
        promiseResolved();
        if ("failed" in answer) reject(asError(answer.failed));
        else resolve(answer);
      };
      const failed = {
        failure: "timeout",
        side: "gate",
        message: "Cannot ask the main thread: no answer",
      } as const;
      const stop = after(this.deadline, () => this.answered({ id, failed }));
      this.#asked.set(id, { settle, stop });
      this.#post(id, question);
    });
  }
}

const tooMany = (key: string) =>
  atLimit(
    "names",
    new GateError(
      "exhausted",
      "client",
      `Cannot ask for ${key}: its source waits for ${MOST_OF_SOURCE} other names`,
    ),
  );

function asError({ failure, side, message, limit }: Failed): GateError {
  const error = new GateError(failure, side, message);
  return limit ? atLimit(limit, error) : error;
}

function literal(target: Target): Destination {
  return { target, endpoints: [{ address: target, layers: [] }], source: "literal", lifetime: 0 };
}
