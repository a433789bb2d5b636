/** Answers that live for a while, and questions that are asked once however many want to know. */
import { asGateError, atLimit, GateError } from "../gate/errors.ts";
import { abortReason } from "./deadline.ts";

/** `lifetime` in ms: how long, from now, the value holds. */
export interface Answer<T> {
  readonly value: T;
  readonly lifetime: number;
}

/** `entries` bounds what is kept (the least lately used goes), `flights` the questions under way. */
export interface AnswerBounds {
  readonly entries: number;
  readonly flights: number;
}

/** How long a failure is repeated before the question is asked again, ms: no storm on what just failed. */
export const FAILURE_LIFETIME = 1000;

interface Kept<T> {
  readonly outcome: { readonly value: T } | { readonly failure: GateError };
  readonly until: number;
}

interface Flight<T> {
  readonly controller: AbortController;
  readonly answer: Promise<Answer<T>>;
  askers: number;
}

export class Answers<T> implements Disposable {
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept<T>>();
  readonly #flights = new Map<string, Flight<T>>();
  #flying = 0;

  constructor(
    private readonly bounds: AnswerBounds,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * What is known under `key`, or what `question` answers: it is asked once for all who want to know meanwhile, and
   * its signal aborts only when the last of them gave up. Rejects with GateError.
   */
  async ask(
    key: string,
    signal: AbortSignal,
    question: (signal: AbortSignal) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    if (signal.aborted) throw abortReason(signal, `resolve "${key}"`);
    const kept = this.#find(key);
    if (kept === undefined) return await this.#join(key, signal, question);
    if ("failure" in kept.outcome) throw kept.outcome.failure;
    return { value: kept.outcome.value, lifetime: kept.until - this.now() };
  }

  /** Forgets what matches; questions under way still answer those who asked, and nobody else. */
  drop(matches: (key: string) => boolean): void {
    for (const key of this.#kept.keys()) if (matches(key)) this.#kept.delete(key);
    for (const key of this.#flights.keys()) if (matches(key)) this.#flights.delete(key);
  }

  /** Ends every question with "closed". */
  [Symbol.dispose](): void {
    const flights = [...this.#flights.values()];
    this.drop(() => true);
    const reason = new GateError("closed", "gate", "Cannot resolve: this gate stops");
    for (const { controller } of flights) controller.abort(reason);
  }

  #find(key: string): Kept<T> | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    if (kept.until <= this.now()) return undefined;
    this.#kept.set(key, kept);
    return kept;
  }

  #join(key: string, signal: AbortSignal, question: (signal: AbortSignal) => Promise<Answer<T>>) {
    const flight = this.#flights.get(key) ?? this.#start(key, question);
    flight.askers++;
    return new Promise<Answer<T>>((resolve, reject) => {
      const leave = () => {
        reject(abortReason(signal, `resolve "${key}"`));
        if (--flight.askers > 0) return;
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.controller.abort(signal.reason);
      };
      const landed = () => signal.removeEventListener("abort", leave);
      signal.addEventListener("abort", leave, { once: true });
      flight.answer.then(resolve, reject).finally(landed);
    });
  }

  #start(key: string, question: (signal: AbortSignal) => Promise<Answer<T>>): Flight<T> {
    if (this.#flying >= this.bounds.flights) {
      const state = `${this.#flying} questions are under way`;
      throw atLimit("names", new GateError("exhausted", "gate", `Cannot resolve "${key}": ${state}`));
    }
    this.#flying++;
    const controller = new AbortController();
    const answer = Promise.resolve().then(() => this.#fly(key, controller, question));
    const flight: Flight<T> = { controller, answer, askers: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  async #fly(
    key: string,
    controller: AbortController,
    question: (signal: AbortSignal) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    try {
      const answer = await question(controller.signal);
      this.#keep(key, controller, { outcome: { value: answer.value }, until: this.now() + answer.lifetime });
      return answer;
    } catch (thrown) {
      const failure = asGateError(thrown);
      this.#keep(key, controller, { outcome: { failure }, until: this.now() + FAILURE_LIFETIME });
      throw failure;
    } finally {
      this.#flying--;
    }
  }

  /** Ends the flight; what was dropped or given up meanwhile leaves nothing behind. */
  #keep(key: string, controller: AbortController, kept: Kept<T>): void {
    if (this.#flights.get(key)?.controller !== controller) return;
    this.#flights.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size <= this.bounds.entries) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
  }
}
