/**
 * Parses configurations on a thread of its own, which ends when nothing came for a while: the libraries for it are large
 * and seldom needed, and a file that takes a second holds nothing up.
 */
import { GateError } from "../errors.ts";
import type { HeadStart } from "../head_start.ts";
import { type ConfigurationText, sameTexts } from "./files.ts";
import type { Loaded } from "./load.ts";
import { ConfigurationError, type Problem } from "./problems.ts";
import { type Reference, stillThere } from "./references.ts";

/** What the thread answers. */
export type Parsed =
  | { readonly loaded: Loaded }
  /** Mistakes of the configuration. */
  | { readonly problems: readonly Problem[]; readonly references: readonly Reference[] }
  /** A mistake of ours. */
  | { readonly fault: string };

/** ms. The largest configuration takes a second where this was measured. */
const PATIENCE = 30_000;
/** ms that a thread waits for the next texts: files that change come in bursts, and starting one takes 0.1 s of CPU. */
const LINGER = 5000;

export class Parser implements Disposable {
  readonly #threads: HeadStart;
  #last: Loaded | undefined;
  /** Has answered, and waits. */
  #idle: Worker | undefined;
  #ending: ReturnType<typeof setTimeout> | undefined;

  /** `threads`: of gate/threads/parser.ts. */
  constructor(threads: HeadStart) {
    this.#threads = threads;
  }

  /** Rejects with ConfigurationError where the configuration is wrong. The same texts and files again mean the same. */
  async parse(texts: readonly ConfigurationText[]): Promise<Loaded> {
    const last = this.#last;
    if (last && sameTexts(texts, last.texts) && await stillThere(last.references)) return last;
    const worker = this.#idle ?? this.#threads.take();
    this.#idle = undefined;
    clearTimeout(this.#ending);
    const parsed = await ask(worker, texts);
    if ("fault" in parsed) {
      worker.terminate();
      throw new GateError("internal", "gate", `Cannot read the configuration: ${parsed.fault}`);
    }
    this.#linger(worker);
    if ("problems" in parsed) throw new ConfigurationError(parsed.problems, parsed.references);
    return this.#last = parsed.loaded;
  }

  /** Ends the thread that waits. */
  [Symbol.dispose](): void {
    clearTimeout(this.#ending);
    this.#idle?.terminate();
    this.#idle = undefined;
  }

  #linger(worker: Worker): void {
    this[Symbol.dispose](); // of one that was asked at the same time
    this.#idle = worker;
    this.#ending = setTimeout(() => this[Symbol.dispose](), LINGER);
  }
}

async function ask(worker: Worker, texts: readonly ConfigurationText[]): Promise<Parsed> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<Parsed>((resolve) => {
      const late = `its thread did not answer within ${PATIENCE / 1000} s`;
      timer = setTimeout(() => resolve({ fault: late }), PATIENCE);
      worker.onmessage = ({ data }: MessageEvent<Parsed>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        resolve({ fault: event.message });
      };
      worker.postMessage(texts);
    });
  } finally {
    clearTimeout(timer);
  }
}
