/** Workers of one entry file, one of which loads its code before anybody asks for it: a start does not wait for it then. */
export class HeadStart implements Disposable {
  readonly #entry: URL;
  readonly #name: string;
  #ahead: Worker | undefined;

  /** `name`: of the threads, for who looks at the process. */
  constructor(entry: URL, name: string) {
    this.#entry = entry;
    this.#name = name;
    this.#ahead = this.#start();
  }

  /** The one that began early, or a new one; who takes it ends it. */
  take(): Worker {
    const worker = this.#ahead ?? this.#start();
    this.#ahead = undefined;
    return worker;
  }

  /** Ends what nobody took. */
  [Symbol.dispose](): void {
    this.#ahead?.terminate();
    this.#ahead = undefined;
  }

  #start(): Worker {
    return new Worker(this.#entry, { type: "module", name: this.#name });
  }
}
