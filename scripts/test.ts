/**
 * `deno task test [FILE...]`: installs the real clients where it can, runs all tests, and ends with the line
 * `N passed, N failed` (and `, N skipped`). With CI=true a missing client is a failure.
 */
import { install, TEST_CLIENTS } from "./clients.ts";

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** These count what their process owns, or set its limits: one file after the other, beside another such process. */
const ALONE =
  /^tests\/(system\/|gate\/(engine|threads|commands)\/|gate\/\w+_test\.ts|gate\/admin\/bounds|protocols\/(tls|http\/files))/;
/** Of those, what runs side by side: each takes about as long, and waits for clients and clocks most of it. */
const BESIDE = [
  /^tests\/system\/[a-r]/,
  /^tests\/system\/ssh_/,
  /^tests\/system\/(?!ssh_)[s-z]/,
  /^tests\/gate\/\w+_test/,
  /^tests\/(gate\/\w+\/|protocols\/)/,
];
/** Of the others as many files at once, one more than there are processors: some wait. */
const JOBS = navigator.hardwareConcurrency + 1;
/** Minutes for everything; .ci/run gives one more. */
const MINUTES = 12;
const ROOT = new URL("../", import.meta.url).pathname;

/** All files of tests below a folder, sorted. */
export function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return testFiles(path);
    return entry.name.endsWith("_test.ts") ? [path] : [];
  }).sort();
}

/** What the closing line of `deno test` counts; undefined: there is none, the run broke off. */
export function countOf(output: string): Count | undefined {
  // deno-lint-ignore no-control-regex -- colors are control characters
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const lines = plain.matchAll(/^(?:ok|FAILED) \| (.*)$/gm).toArray();
  const closing = lines.at(-1)?.[1];
  if (closing === undefined) return undefined;
  const number = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(closing)?.[1] ?? 0);
  return { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
}

/** Shows what a run says: at once, or all of it when the run has ended, for one that goes beside another. */
interface Shown {
  write(chunk: Uint8Array<ArrayBuffer>): void;
  end(): void;
}

function print(chunk: Uint8Array<ArrayBuffer>): void {
  for (let sent = 0; sent < chunk.length;) sent += Deno.stdout.writeSync(chunk.subarray(sent));
}

const atOnce: Shown = { write: print, end: () => {} };

function atTheEnd(): Shown {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  return {
    write: (chunk) => void chunks.push(chunk),
    end: () => chunks.forEach(print),
  };
}

/** Runs one group; a run that breaks off, or ends badly with every test passed, counts as one failure more. */
async function run(
  files: readonly string[],
  options: readonly string[],
  shown: Shown,
  deadline: AbortSignal,
): Promise<Count> {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", ...options, ...files], // types are what `deno task check` is about
    cwd: ROOT,
    env: { DENO_JOBS: String(JOBS) },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const cut = () => {
    console.error(`Cannot wait longer for the tests: ${MINUTES} minutes are over`);
    child.kill("SIGKILL");
  };
  if (deadline.aborted) cut();
  deadline.addEventListener("abort", cut);
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    shown.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
  }
  const { success } = await child.status;
  deadline.removeEventListener("abort", cut);
  shown.end();
  const count = countOf(tail) ?? { passed: 0, failed: 0, skipped: 0 };
  return success || count.failed > 0 ? count : { ...count, failed: 1 };
}

/** All files: the others side by side first, then a process for each of BESIDE, with one file after the other. */
async function runAll(files: readonly string[], deadline: AbortSignal): Promise<Count[]> {
  const alone = files.filter((file) => ALONE.test(file)), others = files.filter((file) => !ALONE.test(file));
  const groups = BESIDE.map((group) => alone.filter((file) => group.test(file)));
  return [
    await run(others, ["--parallel"], atOnce, deadline),
    ...await Promise.all(groups.map((group, i) => run(group, [], i === 0 ? atOnce : atTheEnd(), deadline))),
  ];
}

async function main(args: string[]): Promise<number> {
  const strict = Deno.env.get("CI") === "true";
  const deadline = AbortSignal.timeout(MINUTES * 60_000);
  const missing = await install(TEST_CLIENTS);
  const counts = args.length > 0
    ? [await run(args, [], atOnce, deadline)]
    : await runAll(testFiles("tests"), deadline);
  const sum = (key: keyof Count) => counts.reduce((total, count) => total + count[key], 0);
  let failed = sum("failed");
  if (missing.length > 0) {
    console.log(
      `\n${strict ? "FAILED" : "Skipped"}, for they are not installed: tests with ${missing.join(", ")}`,
    );
    if (strict && failed === 0) failed = 1;
  }
  const skipped = sum("skipped");
  console.log(`\n${sum("passed")} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed > 0 || sum("passed") === 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
