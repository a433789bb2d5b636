/**
 * What this process uses of the system. By libc, for Deno opens /proc to programs with every permission alone, and the
 * one binary has not.
 */
import { libc, openFilesLimit } from "./sys.ts";

export interface Usage {
  readonly openFiles: number;
  /** Infinity: nothing bounds them. */
  readonly mostOpenFiles: number;
  /** Bytes. */
  readonly residentMemory: number;
  /** Of all threads, seconds. */
  readonly cpu: number;
}

const CLOCK_PROCESS_CPUTIME_ID = 2;

export function readUsage(): Usage {
  return {
    openFiles: countOpenFiles(),
    mostOpenFiles: openFilesLimit(),
    residentMemory: Deno.memoryUsage().rss,
    cpu: readCpu(),
  };
}

function readCpu(): number {
  const time = new Uint8Array(16); // seconds and nanoseconds, i64 each
  libc.clock_gettime(CLOCK_PROCESS_CPUTIME_ID, time);
  const view = new DataView(time.buffer);
  return Number(view.getBigInt64(0, true)) + Number(view.getBigInt64(8, true)) / 1e9;
}

const folders = Deno.dlopen("libc.so.6", {
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
}).symbols;

const DESCRIPTORS = new TextEncoder().encode("/proc/self/fd\0");
/** Entries of the folder that are no descriptors of anybody else: `.`, `..` and the folder itself. */
const OWN_ENTRIES = 3;

/** NaN where they cannot be counted: without a descriptor for the folder, or without /proc. */
function countOpenFiles(): number {
  const folder = folders.opendir(DESCRIPTORS);
  if (folder === null) return NaN;
  let entries = 0;
  while (folders.readdir(folder) !== null) entries++;
  folders.closedir(folder);
  return entries - OWN_ENTRIES;
}
