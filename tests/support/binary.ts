/**
 * The compiled program where nothing helps it: under another name and as another user, in a file system that it can
 * only read, with no environment at all, so no Deno, no HOME and no cache.
 */
import { find } from "../../scripts/clients.ts";
import { Child, Folder, type Output, run } from "./child.ts";
import { Program } from "./program.ts";

/** What the copy is called: a program may not depend on its name. */
const NAME = "gatekeeper";
const NOBODY = "65534";
const CONFIGURATION = "ugate.yaml";

/** Where it may write, below its folder: a file system of its own, seen through /proc/PID/root. */
export const STATE = "state";
/** All else read-only for the program alone; then it gives up root with all capabilities and what could bring them back. */
const CONFINED = `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -o remount,bind,ro / &&
mount -t tmpfs -o mode=700,uid=${NOBODY},gid=${NOBODY} none "$1/${STATE}" && cd "$1" && shift && exec "$@"`;
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--no-new-privs"]
  .concat("--inh-caps=-all", "--bounding-set=-all");

/**
 * The binary that UGATE_BINARY names, to be copied where a test wants it. undefined, told aloud: the test is to be
 * skipped. With CI=true nothing may be skipped but what .ci/run itself has told, by an empty UGATE_BINARY.
 */
export async function givenBinary(): Promise<string | undefined> {
  const path = Deno.env.get("UGATE_BINARY"), strict = Deno.env.get("CI") === "true";
  if (!path) {
    if (path === undefined && strict) throw new Error("Cannot test the binary: UGATE_BINARY names none");
    console.error("SKIPPED the compiled binary: UGATE_BINARY names none (deno task compile makes one)");
    return undefined;
  }
  const { code } = find("setpriv") && find("unshare")
    ? await run("unshare", ["--mount", "mount", "-o", "remount,bind,ro", "/"])
    : { code: 1 };
  if (code === 0) return path;
  if (strict) throw new Error("Cannot test the binary as another user: not permitted here");
  console.error("SKIPPED the compiled binary: another user and a read-only directory need root");
  return undefined;
}

/** A folder with the renamed binary and a configuration; both belong to root. */
export async function settle(binary: string, yaml: string): Promise<Folder> {
  const folder = await Folder.make();
  await Deno.copyFile(binary, `${folder.path}/${NAME}`);
  await Deno.chmod(`${folder.path}/${NAME}`, 0o755);
  await folder.write(CONFIGURATION, yaml);
  await Deno.mkdir(`${folder.path}/${STATE}`);
  await Deno.chmod(folder.path, 0o555);
  return folder;
}

function confined(folder: Folder, args: readonly string[]): [string, string[]] {
  const program = [find("setpriv")!, ...AS_NOBODY, "env", "-i", `./${NAME}`, ...args];
  return ["unshare", ["--mount", "--", "/bin/sh", "-c", CONFINED, "sh", folder.path, ...program]];
}

/** One verb to its end; the configuration is in its directory. */
export const ask = (folder: Folder, args: readonly string[], stdin?: string): Promise<Output> =>
  run(...confined(folder, args), { stdin });

/** `run`, until it is ready. The folder belongs to the program from now on. */
export async function serve(folder: Folder, ...options: readonly string[]): Promise<Program> {
  const program = new Program(
    new Child(...confined(folder, ["run", "-c", CONFIGURATION, ...options])),
    folder,
  );
  try {
    await program.child.line(/^ready$/m);
    return program;
  } catch (thrown) {
    await program[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** Puts another configuration in the place of the one there, as editors do: at once. */
export async function rewrite(folder: Folder, yaml: string): Promise<void> {
  await Deno.rename(await folder.write(`${CONFIGURATION}.new`, yaml), `${folder.path}/${CONFIGURATION}`);
}
