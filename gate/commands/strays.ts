/**
 * What nobody caught on the main thread: a rejected promise without an owner, an error out of a callback. It would end
 * the program, and every connection with it; so it is told, and ends nothing. Engines have their own.
 */
export class Strays implements Disposable {
  readonly #promise: (event: PromiseRejectionEvent) => void;
  readonly #error: (event: ErrorEvent) => void;

  constructor(tell: (what: string, thrown: unknown) => void) {
    this.#promise = (event) => {
      event.preventDefault();
      tell("promise", event.reason);
    };
    this.#error = (event) => {
      event.preventDefault();
      tell("error", event.error);
    };
    addEventListener("unhandledrejection", this.#promise);
    addEventListener("error", this.#error);
  }

  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#promise);
    removeEventListener("error", this.#error);
  }
}
