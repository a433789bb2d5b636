/**
 * Orders at one authority, carried out on a thread that is there while there are some: the libraries for it are large,
 * and seldom needed.
 */
import { GateError } from "../errors.ts";
import type { Challenge, Command, Failed, IssuedPair, Outcome, Terms, Told } from "./messages.ts";
import { NO_CHALLENGES, type PendingChallenges } from "./pending.ts";

/** An order that did not come to a certificate. */
export class OrderFailed extends GateError {
  constructor(readonly why: Omit<Failed, "op" | "id">) {
    super("refused", "upstream", why.reason);
  }
}

export interface OrdersParts {
  readonly worker: () => Worker;
  /** Makes every engine answer these and no others. */
  readonly publish: (pending: PendingChallenges) => Promise<void>;
}

/** ms of an order: the authority may take its time, but not for ever. */
const ORDER_TIME = 5 * 60_000;

interface Running {
  readonly settle: (outcome: Outcome) => void;
  challenges: PendingChallenges;
}

export class Orders {
  readonly #terms: Terms;
  readonly #parts: OrdersParts;
  readonly #running = new Map<number, Running>();
  #worker: Worker | undefined;
  #nextId = 1;

  constructor(terms: Terms, parts: OrdersParts) {
    this.#terms = terms;
    this.#parts = parts;
  }

  /** A certificate for this name alone. Rejects with OrderFailed. */
  async issue(name: string, challenge: Challenge): Promise<IssuedPair> {
    const id = this.#nextId++, { promise, resolve } = Promise.withResolvers<Outcome>();
    const running = { settle: resolve, challenges: NO_CHALLENGES };
    const late = `the authority did not come to an end within ${ORDER_TIME / 60_000} min`;
    const timer = setTimeout(() => resolve(failed(id, late)), ORDER_TIME);
    this.#running.set(id, running);
    try {
      this.#tell({ op: "order", id, name, challenge });
      const outcome = await promise;
      if (outcome.op === "issued") return outcome.pair;
      throw new OrderFailed(outcome);
    } finally {
      clearTimeout(timer);
      this.#running.delete(id);
      if (running.challenges !== NO_CHALLENGES) await this.#publish();
      if (this.#running.size === 0) this.#end();
    }
  }

  /** Orders that run fail; the thread ends. */
  stop(): void {
    this.#failAll("the gate gave it up");
  }

  #tell(command: Command): void {
    if (!this.#worker) {
      const worker = this.#worker = this.#parts.worker();
      worker.onmessage = ({ data }: MessageEvent<Told>) => this.#hear(data);
      worker.onerror = (event) => {
        event.preventDefault();
        this.#failAll(event.message);
      };
      this.#tell({ op: "start", terms: this.#terms });
    }
    this.#worker.postMessage(command);
  }

  #hear(told: Told): void {
    const { id } = told, running = this.#running.get(id);
    if (!running) return; // it was given up
    if (told.op !== "publish") return running.settle(told);
    running.challenges = told.challenges;
    void this.#publish().then(() => this.#worker?.postMessage({ op: "published", id } satisfies Command));
  }

  /** Never rejects: an engine that has nothing to answer makes the order fail at the authority. */
  async #publish(): Promise<void> {
    const pending = Array.from(this.#running.values(), ({ challenges }) => challenges);
    await this.#parts.publish({
      http: pending.flatMap(({ http }) => http),
      tls: pending.flatMap(({ tls }) => tls),
    });
  }

  #failAll(reason: string): void {
    for (const [id, { settle }] of this.#running) settle(failed(id, reason));
    this.#end();
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

const failed = (id: number, reason: string): Failed => ({ op: "failed", id, reason, unproven: false });
