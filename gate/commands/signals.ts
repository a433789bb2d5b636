/** What the operator says with signals: SIGTERM and SIGINT end, SIGHUP reloads. */

/** `deno task` delivers one Ctrl-C twice within a millisecond: a second signal counts from here on, ms. */
const SECOND_SIGNAL = 500;

const ENDING = ["SIGINT", "SIGTERM"] as const;

export class Signals implements Disposable {
  readonly #ending = Promise.withResolvers<void>();
  readonly #hangUp: () => void;
  #first = 0;

  /** `hangUp` is called for each SIGHUP: also when a terminal closes, which is no reason to cut anyone. */
  constructor(hangUp: () => void) {
    this.#hangUp = hangUp;
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
    } else if (performance.now() - this.#first > SECOND_SIGNAL) Deno.exit(1);
  };
}
