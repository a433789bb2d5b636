/**
 * `run` and its options, read without the library that reads all others: that is 40 ms and 10 MiB which a gate would
 * keep all its life. Whatever is written in another way is left to the library, its mistakes too.
 */
export interface RunOptions {
  /** A file or a directory. */
  readonly config?: string;
  /** Where the configuration on disk is broken, start with the last one that worked. */
  readonly lastGood: boolean;
  /** Reload when the configuration on disk changes. */
  readonly watch: boolean;
}

/** undefined: not `run` with these options spelled in their plain way. */
export function plainRun([verb, ...rest]: readonly string[]): RunOptions | undefined {
  if (verb !== "run") return undefined;
  let config: string | undefined, lastGood = false, watch = true;
  for (let at = 0; at < rest.length; at++) {
    const option = rest[at];
    if (option === "--last-good") lastGood = true;
    else if (option === "--no-watch") watch = false;
    else if ((option === "-c" || option === "--config") && /^[^-]/.test(rest[at + 1] ?? "")) {
      config = rest[++at];
    } else return undefined;
  }
  return { config, lastGood, watch };
}
