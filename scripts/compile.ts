/**
 * `deno task compile [--target TARGET]...`: makes `dist/ugate-TARGET`, one file that runs without Deno, for x86-64 and
 * arm64 or for those that are named, and looks at each before it gets its name. DENORT_BIN names local runtime stubs
 * (several between colons, one for each CPU) where Deno's download site is out of reach. Exit codes: 0 all made,
 * 1 one was not, 2 used wrongly.
 */
import { parseArgs } from "node:util";
import { type Contents, contents, MAIN } from "./compile/contents.ts";
import { faultsOf, tryOut } from "./compile/inspect.ts";
import { type Stub, stubFor, stubsOf } from "./compile/stub.ts";
import { type Target, TARGETS } from "./compile/target.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const USAGE = `deno task compile [--target ${TARGETS.join("|")}]...`;

/**
 * All that the binary may do. Files, addresses and variables are named by its configuration, so these three are whole;
 * a library is found by its name alone only if every library may be loaded. No subprocess; and no code from elsewhere,
 * which `deno compile` allows unless it is told not to.
 */
const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys=hostname,networkInterfaces,uid",
  "--allow-ffi",
  "--deny-import",
];

const deno = (args: readonly string[], env?: Record<string, string>) =>
  new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", ...env },
    cwd: ROOT,
    stdin: "null",
  }).output();

/** What a child said on stderr, without where in Deno it did; empty where it went well. */
const complaint = ({ success, stderr }: Deno.CommandOutput) =>
  success ? "" : new TextDecoder().decode(stderr).split("\nStack backtrace")[0].trim();

async function flags(target: Target, contents: Contents, output: string): Promise<string[]> {
  const help = new TextDecoder().decode((await deno(["compile", "--help"])).stdout);
  return [
    ...["compile", "--no-check", "--no-code-cache", "--no-prompt", "--frozen", "--cached-only"],
    // From Deno 2.8 on; before, the packages of the tests come along.
    ...help.includes("--exclude-unused-npm") ? ["--exclude-unused-npm"] : [],
    ...PERMISSIONS,
    ...contents.included.flatMap((path) => ["--include", path]),
    ...["--target", target, "--output", output, MAIN],
  ];
}

/** Makes one binary and answers what to say of it. Throws where it cannot, and leaves nothing then. */
async function make(target: Target, contents: Contents, stubs: readonly Stub[]): Promise<string> {
  const stub = stubFor(target, stubs, Deno.version.deno);
  const path = `dist/ugate-${target}`, made = `${ROOT}${path}.new`;
  try {
    const local = stub ? { DENORT_BIN: stub.path } : undefined;
    const failure = complaint(await deno(await flags(target, contents, made), local));
    if (failure !== "") throw new Error(compileFault(failure, target));
    const image = await Deno.readFile(made);
    const faults = faultsOf(image, target, contents, PERMISSIONS);
    if (faults.length > 0) throw new Error(faults.join("\n  "));
    const runs = target === Deno.build.target;
    if (runs) await tryOut(made, target);
    await Deno.rename(made, ROOT + path);
    const size = `${(image.length / 1e6).toFixed(1)} MB`;
    return `${path}: ${size}, ${contents.files.length} files, ${
      runs ? "was run" : "of another CPU: was not run"
    }`;
  } finally {
    await Deno.remove(made).catch(() => {}); // it has its name, or was never made
  }
}

/** A sentence for the one failure that a machine without the internet sees; the rest is Deno's own. */
function compileFault(said: string, target: Target): string {
  if (!said.includes("Setting up base binary") && !said.includes("error sending request")) return said;
  return `Deno's download site cannot be reached for the runtime it is glued onto. Go on with DENORT_BIN=PATH, ` +
    `where PATH is denort of Deno ${Deno.version.deno} for ${target} (denort-${target}.zip of that release)`;
}

function targets(args: string[]): readonly Target[] {
  const { values } = parseArgs({ args, options: { target: { type: "string", multiple: true } } });
  const asked = [...new Set(values.target ?? TARGETS)];
  const unknown = asked.find((name) => !TARGETS.some((target) => target === name));
  if (unknown !== undefined) throw new TypeError(`Cannot make ${unknown}: no such target`);
  return asked as Target[];
}

async function main(args: string[]): Promise<number> {
  let asked: readonly Target[];
  try {
    asked = targets(args);
  } catch (thrown) {
    console.error(`${(thrown as Error).message}\nUsage: ${USAGE}`);
    return 2;
  }
  let failed = 0;
  try {
    const missing = complaint(await deno(["install", "--frozen"])); // --cached-only takes what is there
    if (missing !== "") throw new Error(`Cannot get the packages: ${missing}`);
    const needed = await contents();
    const stubs = await stubsOf(Deno.env.get("DENORT_BIN") ?? "");
    Deno.env.delete("DENORT_BIN"); // a stub of the other CPU would silently make a binary of the other CPU
    await Deno.mkdir(`${ROOT}dist`, { recursive: true });
    for (const target of asked) {
      await make(target, needed, stubs).then(console.log, ({ message }: Error) => {
        console.error(`Cannot make dist/ugate-${target}: ${message}`);
        failed++;
      });
    }
  } catch (thrown) {
    console.error((thrown as Error).message);
    return 1;
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
