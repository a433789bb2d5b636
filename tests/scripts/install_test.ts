/** The script that installs, below a root of the test's own and with a program that is none: nothing is started. */
import { find, need } from "../../scripts/clients.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { Folder, type Output, run, succeed } from "../support/child.ts";
import { ugate } from "../support/program.ts";

const SCRIPT = new URL("../../scripts/install.sh", import.meta.url).pathname;
const SOCKET = new URL("../../scripts/install/ugate.socket", import.meta.url).pathname;
const LINTER = find("shellcheck");
if (!LINTER) console.error("SKIPPED what needs shellcheck: not installed");
const DONE = 0, FAILED = 1, USAGE = 2;
const BINARY = "/usr/local/bin/ugate", PREVIOUS = `${BINARY}.previous`;
const CONFIGURATION = "/etc/ugate/ugate.yaml", UNIT = "/etc/systemd/system/ugate.service";
const SOCKETS = "/etc/systemd/system/ugate.socket";

/** What is typed as the name of a script runs it: so a shell with a version behind its end is a program to install. */
const SHELL = await Deno.readFile("/bin/sh");
/** `version` and `check`, as such a shell finds them where the script that installs is started. */
const VERBS = {
  version: "tail -n 1 /proc/$$/exe",
  check: '! grep -n "$(tail -n 2 /proc/$$/exe | head -n 1)" "$2" >&2',
};

/** A root to install into, and beside it programs to install. */
class Machine implements AsyncDisposable {
  private constructor(readonly root: string, readonly folder: Folder) {}

  static async make(): Promise<Machine> {
    const folder = await Folder.make(), root = `${folder.path}/root`;
    await Deno.mkdir(root);
    for (const [verb, text] of Object.entries(VERBS)) await folder.write(verb, text);
    return new Machine(root, folder);
  }

  /** A program that knows its version, and refuses a configuration with that word in it. */
  async program(version: string, refused = "BROKEN"): Promise<string> {
    const path = `${this.folder.path}/ugate-${version}`;
    await Deno.writeFile(path, SHELL, { mode: 0o755 });
    await Deno.writeTextFile(path, `\n${refused}\nugate ${version}\n`, { append: true });
    return path;
  }

  install = (...args: readonly string[]): Promise<Output> => this.installBy(SCRIPT, ...args);
  /** `script`: a copy of it. */
  installBy = (script: string, ...args: readonly string[]): Promise<Output> =>
    run("sh", [script, "--root", this.root, ...args], { cwd: this.folder.path });
  /** Which version a program below the root is. */
  version = async (path: string): Promise<string> =>
    new TextDecoder().decode((await Deno.readFile(this.root + path)).subarray(-30)).trim().split("\n").at(
      -1,
    )!;
  read = (path: string): Promise<string> => Deno.readTextFile(this.root + path);
  write = (path: string, text: string): Promise<void> => Deno.writeTextFile(this.root + path, text);
  mode = async (path: string): Promise<string> =>
    ((await Deno.stat(this.root + path)).mode! & 0o777).toString(8);

  /** Every file below the root. */
  async files(folder = ""): Promise<string[]> {
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(this.root + folder)) {
      const path = `${folder}/${name}`;
      found.push(...isDirectory ? await this.files(path) : [path]);
    }
    return found.sort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("installing makes the program, its unit and a private configuration", async () => {
  await using machine = await Machine.make();
  const { code, stdout, stderr } = await machine.install(await machine.program("1"));
  equal([code, stderr], [DONE, ""]);
  ok(stdout.includes("installed ugate 1"), stdout);
  equal(await machine.files(), [UNIT, CONFIGURATION, BINARY]);
  equal([await machine.mode(BINARY), await machine.mode(CONFIGURATION), await machine.mode(UNIT)], [
    "755",
    "640",
    "644",
  ]);
});

Deno.test("installing again changes nothing, and upgrading keeps the configuration and the version before", async () => {
  await using machine = await Machine.make();
  const one = await machine.program("1"), two = await machine.program("2");
  await machine.install(one);
  await machine.write(CONFIGURATION, "listeners: {}\n");
  const again = await machine.install(one);
  equal([again.code, again.stdout], [DONE, "ugate 1 was there already\n"]);
  equal(await machine.files(), [UNIT, CONFIGURATION, BINARY]);
  equal((await machine.install(two)).stdout, "installed ugate 2\n");
  equal(await machine.read(CONFIGURATION), "listeners: {}\n");
  equal(await machine.files(), [UNIT, CONFIGURATION, BINARY, PREVIOUS]);
  equal(await machine.version(PREVIOUS), "ugate 1");
  await machine.install(two);
  equal(await machine.version(PREVIOUS), "ugate 1", "an upgrade to the same version lost the one before");
});

Deno.test("going back puts the version before in its place, and going back again undoes it", async () => {
  await using machine = await Machine.make();
  const one = await machine.program("1"), two = await machine.program("2");
  await machine.install(one);
  const none = await machine.install("--rollback");
  equal([none.code, none.stderr], [FAILED, `Cannot go back: there is no ${machine.root}${PREVIOUS}\n`]);
  await machine.install(two);
  equal((await machine.install("--rollback")).stdout, "went back to ugate 1\n");
  equal([await machine.version(BINARY), await machine.version(PREVIOUS)], ["ugate 1", "ugate 2"]);
  equal((await machine.install("--rollback")).stdout, "went back to ugate 2\n");
  equal(await machine.files(), [UNIT, CONFIGURATION, BINARY, PREVIOUS]);
});

Deno.test("a program that does not run, or refuses the configuration that is there, changes nothing", async () => {
  await using machine = await Machine.make();
  const one = await machine.program("1"),
    broken = await machine.folder.write("broken", "\x7fELF of another CPU");
  await machine.install(one);
  const other = await machine.install(broken);
  equal(other.code, FAILED);
  ok(other.stderr.includes(`Cannot install ${broken}: it does not run on this machine`), other.stderr);
  const two = await machine.program("2");
  await machine.write(CONFIGURATION, "BROKEN\n");
  const refused = await machine.install(two);
  equal([refused.code, refused.stdout], [FAILED, ""]);
  ok(/^1:BROKEN$/m.test(refused.stderr) && refused.stderr.includes("nothing was changed"), refused.stderr);
  equal(await machine.version(BINARY), "ugate 1");
  equal(await machine.files(), [UNIT, CONFIGURATION, BINARY]);
  equal((await machine.install("--force", two)).code, DONE);
  equal(await machine.version(BINARY), "ugate 2");
});

Deno.test("what is no program is not run, and a program that is not ugate is not installed", async () => {
  await using machine = await Machine.make();
  const trace = `${machine.folder.path}/was-run`;
  const script = await machine.folder.write("script", `#!/bin/sh\ntouch ${trace}\necho ugate 1\n`, 0o755);
  const text = await machine.folder.write("text", `touch ${trace}\n`),
    empty = await machine.folder.write("e", "");
  for (const file of [script, text, empty]) {
    const { code, stdout, stderr } = await machine.install(file);
    equal([code, stdout, stderr], [FAILED, "", `Cannot install ${file}: it is no program\n`]);
  }
  await rejects(Deno.lstat(trace), /No such file/);
  const other = await machine.program("1");
  await machine.folder.write("version", "echo other 1");
  for (const file of [other, "/bin/true"]) {
    const { code, stdout, stderr } = await machine.install(file);
    equal([code, stdout, stderr], [FAILED, "", `Cannot install ${file}: it is not ugate\n`]);
  }
  equal(await machine.files(), []);
});

Deno.test("going back asks the version before about the configuration that is there now", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1", "newKey"));
  await machine.install(await machine.program("2"));
  await machine.write(CONFIGURATION, "newKey: 1\n");
  const { code, stdout, stderr } = await machine.install("--rollback");
  equal([code, stdout], [FAILED, ""]);
  ok(/^1:newKey: 1$/m.test(stderr) && stderr.includes("Cannot go back: that version finds"), stderr);
  equal([await machine.version(BINARY), await machine.version(PREVIOUS)], ["ugate 2", "ugate 1"]);
  equal((await machine.install("--rollback", "--force")).stdout, "went back to ugate 1\n");
});

Deno.test("without a name the program is found beside the script, and in the folder that the build fills", async () => {
  await using machine = await Machine.make();
  const folder = machine.folder.path, name = `ugate-${Deno.build.arch}-unknown-linux-gnu`;
  for (const made of ["scripts", "dist"]) await Deno.mkdir(`${folder}/${made}`);
  await Deno.copyFile(SCRIPT, `${folder}/scripts/install.sh`);
  const install = () => machine.installBy(`${folder}/scripts/install.sh`);
  equal((await install()).code, USAGE);
  await Deno.rename(await machine.program("1"), `${folder}/dist/${name}`);
  equal((await install()).stdout.split("\n").at(-2), "installed ugate 1");
  await Deno.rename(await machine.program("2"), `${folder}/scripts/${name}`);
  equal((await install()).stdout, "installed ugate 2\n");
});

Deno.test("the configuration is checked with the variables that the unit gives", async () => {
  await using machine = await Machine.make();
  const program = await machine.program("1");
  await machine.folder.write("check", '[ "$SECRET" = "of two words" ]');
  equal((await machine.install(program)).code, DONE);
  equal((await machine.install(program)).code, FAILED);
  for (const value of ["of two words", '"of two words"', "'of two words'"]) {
    await machine.write("/etc/ugate/environment", `# secrets\n\nSECRET=${value}`);
    equal((await machine.install(program)).code, DONE);
  }
});

Deno.test("uninstalling leaves what somebody wrote and names it, and --purge leaves nothing", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1"));
  await machine.install(await machine.program("2"));
  await Deno.mkdir(`${machine.root}/var/lib/ugate`, { recursive: true });
  await machine.write("/var/lib/ugate/kept.json", "");
  await Deno.mkdir(`${machine.root}${UNIT}.d`);
  const own = [`${UNIT}.d/more.conf`, CONFIGURATION, "/etc/ugate/environment", SOCKETS].sort();
  for (const path of own) await machine.write(path, "listeners: {}\n");
  for (let times = 0; times < 2; times++) {
    const { code, stdout, stderr } = await machine.install("--uninstall");
    equal([code, stderr, await machine.files()], [DONE, "", own]);
    const named = stdout.split("\n").filter((line) => line.startsWith(machine.root));
    equal(named.sort(), own.map((path) => machine.root + path.replace(".d/more.conf", ".d")));
  }
  equal((await machine.install(await machine.program("3"))).code, DONE);
  equal(await machine.read(CONFIGURATION), "listeners: {}\n");
  equal((await machine.install("--uninstall", "--purge")).stdout, "ugate is gone\n");
  equal(await machine.files(), []);
  equal((await machine.install("--uninstall")).stdout, "ugate is gone\n");
});

Deno.test("a configuration that nobody edited goes, whatever else stays", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1"));
  await machine.write("/etc/ugate/environment", "SECRET=1\n");
  equal((await machine.install("--uninstall")).code, DONE);
  equal(await machine.files(), ["/etc/ugate/environment"]);
});

Deno.test("a reload by systemd is as good as the gate says, with the file checked before", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1"));
  const reloads = [...(await machine.read(UNIT)).matchAll(/^ExecReload=(.*)$/gm)].map(([, command]) =>
    command
  );
  equal(reloads, ["check", "reload"].map((verb) => `${BINARY} ${verb} -c ${CONFIGURATION}`));
});

Deno.test("uninstalling what nobody touched needs no more words", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1"));
  equal((await machine.install("--uninstall")).code, DONE);
  equal(await machine.files(), []);
});

Deno.test("what is used wrongly exits with 2 and says how", async () => {
  await using machine = await Machine.make();
  const wrong = [["--nonsense"], ["a", "b"], ["none/such"], ["--purge"], ["--rollback", "file"], [
    "--uninstall",
    "--force",
  ]];
  for (const args of wrong) {
    const { code, stdout, stderr } = await machine.install(...args);
    equal([code, stdout], [USAGE, ""], args.join(" "));
    ok(stderr.includes("Usage: install.sh"), stderr);
  }
  equal((await run("sh", [SCRIPT, "--root"])).code, USAGE);
  equal((await run("sh", [SCRIPT, "--root", `${machine.root}/none`])).code, FAILED);
  equal((await run("sh", [SCRIPT, "--help"])).code, DONE);
  equal(await machine.files(), []);
});

Deno.test("its configuration is right, as it is and with every example in it", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1"));
  const text = await machine.read(CONFIGURATION);
  const given = await ugate(["check", "-c", machine.root + CONFIGURATION]);
  equal([given.code, given.stderr], [DONE, ""]);
  ok(/^listener local: 127\.0\.0\.1:15080/m.test(given.stdout), given.stdout);
  await machine.write(CONFIGURATION, text.replace(/^#(?! \S)/gm, ""));
  const whole = await ugate(["check", "-c", machine.root + CONFIGURATION], {
    env: { ALICE_PASSWORD: "secret" },
  });
  equal(whole.code, DONE, whole.stderr);
  for (const name of ["edge", "app", "proxy"]) ok(whole.stdout.includes(`listener ${name}:`), whole.stdout);
  ok(/routes: 5, hosts: 1, policy rules: 1/.test(whole.stdout), whole.stdout);
});

Deno.test({
  name: "systemd finds nothing wrong with the unit, nor with the example of a socket",
  ignore: !need("systemd-analyze"),
  async fn() {
    await using machine = await Machine.make();
    await machine.install(await machine.program("1"));
    const unit = `${machine.folder.path}/ugate.service`, socket = `${machine.folder.path}/ugate.socket`;
    await Deno.writeTextFile(unit, (await machine.read(UNIT)).replaceAll(BINARY, machine.root + BINARY));
    await Deno.copyFile(SOCKET, socket);
    const { stdout, stderr } = await succeed("systemd-analyze", ["verify", "--man=no", unit, socket]);
    equal([stdout, stderr], ["", ""]);
  },
});

Deno.test({
  name: "shellcheck finds nothing wrong with the script",
  ignore: !LINTER,
  fn: async () => equal((await run("shellcheck", [SCRIPT])).stdout, ""),
});
