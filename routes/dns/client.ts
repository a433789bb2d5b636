/** One question to several servers: who is asked, how often, and what counts as an answer. */
import { formatTarget, type Target } from "../../gate/address.ts";
import { asGateError, atLimit, GateError } from "../../gate/errors.ts";
import { abortReason, within } from "../deadline.ts";
import { exchange } from "./exchange.ts";
import type { Question, Response } from "./message.ts";
import type { ResolvConf } from "./resolv_conf.ts";

/** RFC 1035 section 4.1.1, by number. */
const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
export const NXDOMAIN = 3;
const FINAL = [0, NXDOMAIN];
/** What a server that does not know EDNS says to it (RFC 6891 section 7). */
const WITHOUT_EDNS = [1, 4];
const MOST_TRIES = 6;
/** Each is one socket. */
const MOST_QUESTIONS = 1024;
/** How long a silent server comes after the others, ms. */
const SILENCE_REMEMBERED = 30_000;

export class Client {
  #underWay = 0;
  #turn = 0;
  /** Server -> when it may come first again. */
  readonly #silentUntil = new Map<string, number>();

  /** `budget`: all tries of one question together, ms. */
  constructor(private readonly budget: number) {}

  /**
   * What the first server that knows says: NOERROR or NXDOMAIN. Rejects with "unreachable" where one refused or
   * failed and none knew, "timeout" where all were silent, "exhausted" where too many questions are under way.
   */
  async ask(question: Question, conf: ResolvConf, signal: AbortSignal): Promise<Response> {
    if (this.#underWay >= MOST_QUESTIONS) {
      const state = `${MOST_QUESTIONS} are waiting`;
      throw atLimit(
        "names",
        new GateError("exhausted", "gate", `Cannot resolve "${question.name}": ${state}`),
      );
    }
    this.#underWay++;
    try {
      return await this.#ask(question, conf, signal);
    } finally {
      this.#underWay--;
    }
  }

  async #ask(question: Question, conf: ResolvConf, signal: AbortSignal): Promise<Response> {
    const servers = this.#order(conf);
    const tries = Math.min(MOST_TRIES, servers.length * conf.attempts);
    const ms = Math.min(conf.timeout, this.budget / tries);
    let failure: GateError | undefined;
    let edns = true;
    for (let turn = 0; turn < tries; turn++) {
      const server = servers[turn % servers.length];
      const answer = await this.#try(server, question, edns, ms, signal);
      if (signal.aborted) throw abortReason(signal, `resolve "${question.name}"`);
      if (answer instanceof GateError) {
        if (answer.failure === "exhausted") throw answer;
        if (failure === undefined || failure.failure === "timeout") failure = answer;
      } else {
        if (FINAL.includes(answer.rcode)) return answer;
        if (WITHOUT_EDNS.includes(answer.rcode)) edns = false;
        failure = refusal(server, question, answer.rcode);
      }
    }
    throw failure;
  }

  async #try(server: Target, question: Question, edns: boolean, ms: number, signal: AbortSignal) {
    const what = `resolve "${question.name}" by ${formatTarget(server)}`;
    try {
      const answer = await within(ms, signal, what, (signal) => exchange(server, question, edns, signal));
      this.#silentUntil.delete(formatTarget(server));
      return answer;
    } catch (thrown) {
      const failure = asGateError(thrown);
      if (!signal.aborted && failure.failure === "timeout") {
        this.#silentUntil.set(formatTarget(server), performance.now() + SILENCE_REMEMBERED);
      }
      return failure;
    }
  }

  /** As configured, in turn with `rotate`, those that were silent lately last. */
  #order({ servers, rotate }: ResolvConf): Target[] {
    const first = rotate ? this.#turn++ % servers.length : 0;
    const turned = [...servers.slice(first), ...servers.slice(0, first)];
    const now = performance.now();
    const silent = (server: Target) => (this.#silentUntil.get(formatTarget(server)) ?? 0) > now;
    return [...turned.filter((server) => !silent(server)), ...turned.filter(silent)];
  }
}

function refusal(server: Target, question: Question, rcode: number): GateError {
  const said = RCODES[rcode] ?? `RCODE ${rcode}`;
  const message = `Cannot resolve "${question.name}": ${formatTarget(server)} answered ${said}`;
  return new GateError("unreachable", "upstream", message);
}
