/** The thread of ssh_worker.ts, from the outside. */
import type { SshOrder, SshReport } from "./ssh_worker.ts";

export class SshThread implements AsyncDisposable {
  readonly #worker = new Worker(new URL("./ssh_worker.ts", import.meta.url), { type: "module" });
  readonly #flag = new SharedArrayBuffer(4);
  readonly #reports: SshReport[] = [];
  #waiting: ((report: SshReport) => void) | undefined;

  constructor(order: Omit<SshOrder, "flag">) {
    this.#worker.onmessage = ({ data }: MessageEvent<SshReport>) => {
      if (this.#waiting) this.#waiting(data);
      else this.#reports.push(data);
      this.#waiting = undefined;
    };
    this.#worker.postMessage({ ...order, flag: this.#flag } satisfies SshOrder);
  }

  /** What it tells next: of a server first its port, then each connection's end. */
  next(): Promise<SshReport> {
    const first = this.#reports.shift();
    return first ? Promise.resolve(first) : new Promise((resolve) => this.#waiting = resolve);
  }

  [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(new Int32Array(this.#flag), 0, 1);
    return new Promise((resolve) => setTimeout(resolve, 100)).then(() => this.#worker.terminate());
  }
}
