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

/** These own descriptors, threads or the process limits, or measure time: one file after the other. */
const SERIAL =
  /^tests\/(system\/|gate\/(engine|threads|commands)\/|gate\/\w+_test\.ts|gate\/admin\/bounds|protocols\/(tls|http\/files))/;
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

/** Runs one group; a run that breaks off, or ends badly with every test passed, counts as one failure more. */
async function run(files: readonly string[], parallel: boolean, deadline: AbortSignal): Promise<Count> {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...(parallel ? ["--parallel"] : []), ...files],
    cwd: ROOT,
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
  const decoder = new TextDecoder(), out = Deno.stdout.writable.getWriter();
  for await (const chunk of child.stdout) {
    await out.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
  }
  const { success } = await child.status;
  out.releaseLock();
  deadline.removeEventListener("abort", cut);
  const count = countOf(tail) ?? { passed: 0, failed: 0, skipped: 0 };
  return success || count.failed > 0 ? count : { ...count, failed: 1 };
}

async function main(args: string[]): Promise<number> {
  const strict = Deno.env.get("CI") === "true";
  const deadline = AbortSignal.timeout(MINUTES * 60_000);
  const missing = await install(TEST_CLIENTS);
  const files = args.length > 0 ? args : testFiles("tests");
  const alone = (file: string) => args.length > 0 || SERIAL.test(file);
  const groups = [
    await run(files.filter((file) => !alone(file)), true, deadline),
    await run(files.filter(alone), false, deadline),
  ];
  const sum = (key: keyof Count) => groups.reduce((total, count) => total + count[key], 0);
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
