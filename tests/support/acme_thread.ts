/** In place of the thread that orders certificates: each order waits for what a test says becomes of it. */
import type { Challenge, Command, IssuedPair, Told } from "../../gate/acme/messages.ts";

/** An order that a gate began. */
export interface TestOrder {
  readonly name: string;
  readonly challenge: Challenge;
  issue(pair: IssuedPair): void;
  fail(reason: string, more?: { readonly unproven?: boolean; readonly retryAfter?: number }): void;
}

export class AcmeThreads {
  /** All orders so far, of all threads. */
  readonly orders: TestOrder[] = [];
  /** Directories by which threads were started. */
  readonly directories: string[] = [];
  /** Threads that were not ended. */
  running = 0;
  #taken = 0;
  #wake = Promise.withResolvers<void>();

  readonly worker = (): Worker => {
    this.running++;
    const thread = {
      onmessage: (_event: { data: Told }): void => {},
      onerror: (): void => {},
      postMessage: (command: Command) => this.#hear(command, (data) => thread.onmessage({ data })),
      terminate: () => void this.running--,
    };
    return thread as unknown as Worker;
  };

  /** The next order that was not awaited yet. */
  async next(): Promise<TestOrder> {
    while (this.orders.length <= this.#taken) await this.#wake.promise;
    return this.orders[this.#taken++];
  }

  #hear(command: Command, tell: (told: Told) => void): void {
    if (command.op === "start") this.directories.push(command.terms.directory);
    if (command.op !== "order") return;
    const { id, name, challenge } = command;
    this.orders.push({
      name,
      challenge,
      issue: (pair) => tell({ op: "issued", id, pair }),
      fail: (reason, { unproven = false, retryAfter } = {}) =>
        tell({ op: "failed", id, reason, unproven, retryAfter }),
    });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
