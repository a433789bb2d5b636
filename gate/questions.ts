/**
 * What an engine asks main: where a name lives, whether a password or a token is right, what a command prints, and for
 * keys of SSH. Answers about names are kept for their lifetime, negatives too, and one question is in flight for each name.
 */
import { formatTarget, hostMatches, isUnixHost, parseIp, type Target } from "./address.ts";
import type { Destination } from "./contracts.ts";
import type { Introduction, Keyring, Signing } from "./keyring.ts";
import type { TokenAnswer } from "./requests.ts";
import type { Printed, Reading } from "./operations.ts";
import {
  type Answer,
  type GivenToken,
  type Login,
  type LoginAnswer,
  type Question,
  readFailed,
} from "./orders.ts";
import { atLimit, GateError } from "./errors.ts";
import type { SignatureCheck } from "./engine/openssl_keys.ts";
import { after, now, promiseResolved } from "./engine/loop.ts";
import { Places } from "./places.ts";

/** Main answers within its own deadlines; this one is for a main that does not, ms. */
const DEADLINE = 15_000;
/** The same for signatures: who keeps the key may have to be touched. */
const SIGNATURE_DEADLINE = 65_000;
/** Questions of each kind that one source may wait for at once. */
const MOST_OF_SOURCE = 128;
/** Destinations that are kept. */
const MOST_KEPT = 4096;
/** How long "nobody knows this name" is kept, ms; discovery has the exact time. */
const NEGATIVE = 1000;

type Kind = Question["ask"];
const NOUNS: Readonly<Record<Kind, string>> = {
  resolve: "names",
  login: "passwords",
  token: "tokens",
  signed: "signatures",
  introduction: "questions for keys",
  signature: "signatures",
  print: "commands",
};

type Asked = { readonly settle: (answer: Answer) => void; readonly stop: () => void };
type Kept = { readonly destination: Destination | undefined; readonly until: number };

export class Questions implements Keyring {
  readonly #post: (id: number, question: Question) => void;
  #next = 1;
  #asked = new Map<number, Asked>();
  #kept = new Map<string, Kept>();
  #flying = new Map<string, Promise<Destination | undefined>>();
  /** None of a kind takes the places of another. */
  readonly #places: Readonly<Record<Kind, Places>> = {
    resolve: new Places(4096, MOST_OF_SOURCE),
    login: new Places(1024, MOST_OF_SOURCE),
    token: new Places(1024, MOST_OF_SOURCE),
    signed: new Places(1024, MOST_OF_SOURCE),
    introduction: new Places(1024, MOST_OF_SOURCE),
    signature: new Places(1024, MOST_OF_SOURCE),
    print: new Places(32, 8),
  };
  /** Credentials that are being verified: who gives the same meanwhile waits for the same answer. */
  readonly #verifying = new Map<string, Promise<Answer>>();
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
    const refusal = this.#refusal("resolve", source);
    if (refusal) return Promise.reject(refusal);
    const asked = this.#resolve(target, key, source).finally(() => {
      if (this.#flying.get(key) === asked) this.#flying.delete(key);
    });
    this.#flying.set(key, asked);
    return asked;
  }

  async login(login: Login): Promise<LoginAnswer> {
    const answer = await this.#verify({ ask: "login", login }, login.source);
    return "login" in answer ? answer.login : "wrong";
  }

  /** Rejects with GateError where the keys to verify it are not known. */
  async token(given: GivenToken): Promise<TokenAnswer | "throttled"> {
    const answer = await this.#verify({ ask: "token", given }, given.source);
    if ("token" in answer) return answer.token;
    throw new GateError("internal", "gate", "Cannot verify a token: the answer is about something else");
  }

  /** As isSignedBy. */
  async signed(check: SignatureCheck, source: string): Promise<boolean> {
    const refusal = this.#refusal("signed", source);
    if (refusal) throw refusal;
    const answer = await this.#askFor(source, { ask: "signed", check });
    if ("signed" in answer) return answer.signed;
    throw new GateError("internal", "gate", "Cannot verify a signature: the answer is about something else");
  }

  async introduce(host: Target): Promise<Introduction> {
    const answer = await this.#askOwn({ ask: "introduction", host });
    if ("introduction" in answer) return answer.introduction;
    throw new GateError("internal", "gate", "Cannot know a host: the answer is about something else");
  }

  async sign(signing: Signing): Promise<Uint8Array> {
    const answer = await this.#askOwn({ ask: "signature", signing });
    if ("signature" in answer) return answer.signature;
    throw new GateError("internal", "gate", "Cannot sign: the answer is about something else");
  }

  /** What a verb of the command line prints. Rejects with GateError. */
  async print(reading: Reading, source: string): Promise<Printed> {
    const refusal = this.#refusal("print", source);
    if (refusal) throw refusal;
    const answer = await this.#askFor(source, { ask: "print", reading });
    if ("printed" in answer) return answer.printed;
    throw new GateError("internal", "gate", "Cannot tell of the gate: the answer is about something else");
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

  #verify(question: Question, source: string): Promise<Answer> {
    const key = JSON.stringify(question), there = this.#verifying.get(key);
    if (there) return there;
    const refusal = this.#refusal(question.ask, source);
    if (refusal) return Promise.reject(refusal);
    const asked = this.#askFor(source, question).finally(() => this.#verifying.delete(key));
    this.#verifying.set(key, asked);
    return asked;
  }

  /** For the gate itself, and for no source. */
  #askOwn(question: Question): Promise<Answer> {
    const refusal = this.#refusal(question.ask, undefined);
    return refusal ? Promise.reject(refusal) : this.#askFor(undefined, question);
  }

  async #resolve(target: Target, key: string, source: string | undefined): Promise<Destination | undefined> {
    const forgotten = this.#forgotten;
    const answer = await this.#askFor(source, { ask: "resolve", target });
    const destination = "destination" in answer ? answer.destination : undefined;
    const lifetime = destination ? destination.lifetime : NEGATIVE;
    this.#kept.delete(key);
    if (lifetime > 0 && forgotten === this.#forgotten) {
      this.#kept.set(key, { destination, until: now + lifetime });
    }
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return destination;
  }

  /** "exhausted": of this source and of nobody else, or of all. */
  #refusal(kind: Kind, source: string | undefined): GateError | undefined {
    const places = this.#places[kind], lack = places.lack(source);
    if (lack === undefined) return undefined;
    const [side, whose] = lack === "source" ? ["client", " of its source"] as const : ["gate", ""] as const;
    const count = lack === "source" ? places.mostOfSource : places.most;
    const state = `${count} ${NOUNS[kind]}${whose} wait for it already`;
    const reason = new GateError("exhausted", side, `Cannot ask the main thread: ${state}`);
    return atLimit(kind === "resolve" ? "names" : "passwords", reason);
  }

  /** It has a place until main answers, even when nobody wants to know any more. */
  #askFor(source: string | undefined, question: Question): Promise<Answer> {
    return this.#places[question.ask].during(source, () => this.#ask(question));
  }

  #ask(question: Question): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer) => {
        promiseResolved();
        if ("failed" in answer) reject(readFailed(answer.failed));
        else resolve(answer);
      };
      const failed = {
        failure: "timeout",
        side: "gate",
        message: "Cannot ask the main thread: no answer",
      } as const;
      const ms = question.ask === "signature" ? SIGNATURE_DEADLINE : this.deadline;
      const stop = after(ms, () => this.answered({ id, failed }));
      this.#asked.set(id, { settle, stop });
      this.#post(id, question);
    });
  }
}

function literal(target: Target): Destination {
  return { target, endpoints: [{ address: target, layers: [] }], source: "literal", lifetime: 0 };
}
