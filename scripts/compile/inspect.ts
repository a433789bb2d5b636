/** Looks at a binary that was made: its CPU, what it holds, what it may do, and how it runs where it can run. */
import { VERSION } from "../../gate/version.ts";
import { type Contents, MAIN } from "./contents.ts";
import { payloadOf, type Settings } from "./payload.ts";
import { type Target, targetOf } from "./target.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PACKAGES = ".deno_compile_node_modules/localhost/";
/** A promise: more would be a burden on a small machine. */
const MOST_BYTES = 130e6;
/** ms for each run of the binary. */
const RUN_TIME = 20_000;

/** What is wrong with the image, a sentence each; none where all is well. */
export function faultsOf(
  image: Uint8Array,
  target: Target,
  contents: Contents,
  permissions: readonly string[],
): string[] {
  const made = targetOf(image);
  if (made !== target) return [`it is for ${made ?? "no CPU that is known here"}, not for ${target}`];
  const { settings, files } = payloadOf(image);
  const faults = settingFaults(settings, permissions);
  if (image.length > MOST_BYTES) faults.push(`its ${image.length} bytes are more than ${MOST_BYTES}`);
  for (const path of contents.files) {
    const held = files.get(path);
    if (!held) faults.push(`it does not hold ${path}`);
    else if (!same(held, Deno.readFileSync(ROOT + path))) faults.push(`its ${path} is not the one here`);
  }
  for (const name of contents.packages) {
    if (!files.has(`${PACKAGES}${name}/package.json`)) faults.push(`it does not hold the package ${name}`);
  }
  return faults;
}

function settingFaults({ entrypoint_key, code_cache_key, permissions }: Settings, asked: readonly string[]) {
  const faults = [];
  if (entrypoint_key !== MAIN) faults.push(`it starts ${entrypoint_key}`);
  // Deno would believe a cache in /tmp, whoever owns it.
  if (code_cache_key !== null) faults.push("it reads a code cache from /tmp");
  if (permissions.prompt !== false) faults.push("it asks for permissions");
  const given = grantsOf(permissions), allowed = asked.filter((flag) => flag.startsWith("--allow-"));
  const unasked = given.filter((flag) => !allowed.includes(flag));
  const absent = allowed.filter((flag) => !given.includes(flag));
  if (unasked.length > 0) faults.push(`it was given ${unasked.join(" ")}`);
  if (absent.length > 0) faults.push(`it was not given ${absent.join(" ")}`);
  return faults;
}

/** The permissions as flags, names sorted; one that is denied as a whole is none. */
function grantsOf(permissions: Settings["permissions"]): string[] {
  const grants = [];
  for (const [name, list] of Object.entries(permissions)) {
    if (!name.startsWith("allow_") || !Array.isArray(list)) continue;
    const denied = permissions[name.replace("allow", "deny")];
    if (Array.isArray(denied) && denied.length === 0) continue;
    const flag = `--${name.replace("_", "-")}`;
    grants.push(list.length > 0 ? `${flag}=${[...list].sort()}` : flag);
  }
  return grants;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Runs the binary with an empty environment: its version, a check, a gate that gets ready and ends. Throws. */
export async function tryOut(path: string, target: Target): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ugate-compile-" });
  try {
    const file = `${folder}/ugate.yaml`;
    await Deno.writeTextFile(
      file,
      'listeners: { proxy: { address: "127.0.0.1:0", protocols: [socks] } }\nadmin: { address: "127.0.0.1:0" }\n' +
        `node: { state: "${folder}/state" }\n`,
    );
    const [version] = (await run(path, ["version"])).split("\n"); // the others are about this machine
    const expected = `ugate ${VERSION} (Deno ${Deno.version.deno}, ${target})`;
    if (version !== expected) throw new Error(`it calls itself ${version}, not ${expected}`);
    await run(path, ["check", "-c", file]);
    await serve(path, ["run", "-c", file]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const command = (path: string, args: readonly string[]) =>
  new Deno.Command(path, {
    args: [...args],
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(RUN_TIME),
  });

async function run(path: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await command(path, args).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`its ${args[0]} failed: ${new TextDecoder().decode(stderr).trim()}`);
}

/** Until it is ready, for only then its Workers have been loaded; then SIGTERM, which ends it well. */
async function serve(path: string, args: readonly string[]): Promise<void> {
  const child = command(path, args).spawn();
  const said = new Response(child.stderr).text();
  let printed = "", ready = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text;
    if (ready || !/^ready$/m.test(printed)) continue;
    ready = true;
    child.kill("SIGTERM");
  }
  const { success } = await child.status;
  const complaint = (await said).trim();
  if (!success || !ready) throw new Error(`its ${args[0]} failed: ${complaint}`);
}
