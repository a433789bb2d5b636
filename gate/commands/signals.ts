/** What the operator says with signals: SIGTERM and SIGINT end, SIGHUP reloads. */
import type { RunLog } from "./run_log.ts";

/** `deno task` delivers one Ctrl-C twice within a millisecond: a second signal counts from here on, ms. */
const SECOND_SIGNAL = 500;
/** A log that nobody reads delays the end by as much, ms. */
const FLUSH_TIME = 500;

const ENDING = ["SIGINT", "SIGTERM"] as const;

/** What is said at a second signal. */
interface LastWords {
  readonly log: Pick<RunLog, "say" | "writer">;
  /** How many connections are there. */
  readonly connections: () => number;
}

export class Signals implements Disposable {
  readonly #ending = Promise.withResolvers<void>();
  readonly #hangUp: () => void;
  readonly #last: LastWords;
  #first = 0;
  #cutting = false;

  /** `hangUp` is called for each SIGHUP: also when a terminal closes, which is no reason to cut anyone. */
  constructor(hangUp: () => void, last: LastWords) {
    this.#hangUp = hangUp;
    this.#last = last;
    for (const name of ENDING) Deno.addSignalListener(name, this.#caught);
    Deno.addSignalListener("SIGHUP", this.#hangUp);
  }

  /** Resolves with the first signal to end; a second one, if it is no echo of it, exits at once. */
  get ending(): Promise<void> {
    return this.#ending.promise;
  }

  [Symbol.dispose](): void {
    for (const name of ENDING) Deno.removeSignalListener(name, this.#caught);
    Deno.removeSignalListener("SIGHUP", this.#hangUp);
  }

  #caught = (): void => {
    if (this.#first === 0) {
      this.#first = performance.now();
      this.#ending.resolve();
    } else if (performance.now() - this.#first > SECOND_SIGNAL && !this.#cutting) {
      this.#cutting = true;
      void this.#cut().finally(() => Deno.exit(1));
    }
  };

  /** Those who are cut have no lines of their own any more. */
  async #cut(): Promise<void> {
    const { log, connections } = this.#last;
    log.say("warn", "life", `a second signal: ${connections()} connections are cut`);
    await log.writer.flush(FLUSH_TIME);
  }
}
