/**
 * Parses configurations on a thread of its own, which ends with its one answer: the libraries for it are large and
 * seldom needed, and a file that takes a second holds nothing up.
 */
import { GateError } from "../errors.ts";
import type { HeadStart } from "../head_start.ts";
import type { ConfigurationText } from "./files.ts";
import type { Loaded } from "./load.ts";
import { ConfigurationError, type Problem } from "./problems.ts";

/** What the thread answers. */
export type Parsed =
  | { readonly loaded: Loaded }
  /** Mistakes of the configuration. */
  | { readonly problems: readonly Problem[] }
  /** A mistake of ours. */
  | { readonly fault: string };

/** The largest configuration takes a second where this was measured. */
const PATIENCE = 30_000;

/** `threads`: of gate/threads/parser.ts. Rejects with ConfigurationError where the configuration is wrong. */
export async function parseApart(texts: readonly ConfigurationText[], threads: HeadStart): Promise<Loaded> {
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
    if ("problems" in parsed) throw new ConfigurationError(parsed.problems);
    throw new GateError("internal", "gate", `Cannot read the configuration: ${parsed.fault}`);
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
