/** The first step of `ugate run`: its threads load their code while the main thread loads its own. */
import { HeadStart } from "../head_start.ts";
import type { RunOptions } from "./run_options.ts";

/** Threads that began to load; who runs the gate takes them. */
export interface Threads {
  readonly engine: HeadStart;
  readonly parser: HeadStart;
}

/** The exit code. */
export async function start(options: RunOptions): Promise<number> {
  if (Deno.build.os !== "linux") {
    console.error(`ugate: Cannot run on ${Deno.build.os}: the engine needs Linux (x86-64 or arm64, glibc)`);
    return 1;
  }
  using parser = new HeadStart(new URL("../threads/parser.ts", import.meta.url), "parser");
  using engine = new HeadStart(new URL("../threads/engine.ts", import.meta.url), "engine");
  const { run } = await import("./run.ts");
  return await run(options, { engine, parser });
}
