/** On the main thread every promise has an owner: what is started here is caught, reported and waited for. */
import { causeChain, GateError } from "./errors.ts";
import { inTime } from "./in_time.ts";

/** Hears of a task that failed: its name and what was thrown. */
export type Report = (name: string, thrown: unknown) => void;

export class Scope {
  readonly #stop = new AbortController();
  readonly #running = new Map<Promise<void>, string>();
  readonly #report: Report;

  constructor(report: Report = (name, thrown) => console.error(`${name}: ${causeChain(thrown)}`)) {
    this.#report = report;
  }

  /** Aborts when close() begins: a task takes nothing new then. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  /** Owns a task until it ends. What it throws is reported under its name, unless it is the stopping itself. */
  spawn(name: string, task: Promise<unknown>): void {
    const done = this.#run(name, task).finally(() => this.#running.delete(done));
    this.#running.set(done, name);
  }

  async #run(name: string, task: Promise<unknown>): Promise<void> {
    try {
      await task;
    } catch (thrown) {
      if (!(this.stopping.aborted && thrown === this.stopping.reason)) this.#report(name, thrown);
    }
  }

  /** Says stop, waits at most `graceMs` for what runs, and answers the names of the tasks that did not end. */
  async close(graceMs: number): Promise<string[]> {
    this.#stop.abort(new GateError("closed", "gate", "Cannot go on: the gate stops"));
    const all = async () => {
      while (this.#running.size > 0) await Promise.all(this.#running.keys());
    };
    await inTime(all(), graceMs);
    return [...this.#running.values()];
  }
}
