/**
 * Parses configurations on a thread of its own, which ends with its one answer: the libraries for it are large and
 * seldom needed, and a file that takes a second holds nothing up.
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

/** The largest configuration takes a second where this was measured. */
const PATIENCE = 30_000;

export class Parser {
  readonly #threads: HeadStart;
  #last: Loaded | undefined;

  /** `threads`: of gate/threads/parser.ts. */
  constructor(threads: HeadStart) {
    this.#threads = threads;
  }

  /** Rejects with ConfigurationError where the configuration is wrong. The same texts and files again mean the same. */
  async parse(texts: readonly ConfigurationText[]): Promise<Loaded> {
    const last = this.#last;
    if (last && sameTexts(texts, last.texts) && await stillThere(last.references)) return last;
    return this.#last = await parseApart(texts, this.#threads);
  }
}

async function parseApart(texts: readonly ConfigurationText[], threads: HeadStart): Promise<Loaded> {
  const worker = threads.take();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const parsed = await new Promise<Parsed>((resolve) => {
      const late = `its thread did not answer within ${PATIENCE / 1000} s`;
      timer = setTimeout(() => resolve({ fault: late }), PATIENCE);
      worker.onmessage = ({ data }: MessageEvent<Parsed>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        resolve({ fault: event.message });
      };
      worker.postMessage(texts);
    });
    if ("loaded" in parsed) return parsed.loaded;
    if ("problems" in parsed) throw new ConfigurationError(parsed.problems, parsed.references);
    throw new GateError("internal", "gate", `Cannot read the configuration: ${parsed.fault}`);
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
