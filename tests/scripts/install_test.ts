/** The script that installs, below a root of the test's own and with a program that is none: nothing is started. */
import { find, need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder, type Output, run, succeed } from "../support/child.ts";
import { ugate } from "../support/program.ts";

const SCRIPT = new URL("../../scripts/install.sh", import.meta.url).pathname;
const SOCKET = new URL("../../scripts/install/ugate.socket", import.meta.url).pathname;
const LINTER = find("shellcheck");
if (!LINTER) console.error("SKIPPED what needs shellcheck: not installed");
const DONE = 0, FAILED = 1, USAGE = 2;
const BINARY = "/usr/local/bin/ugate", PREVIOUS = `${BINARY}.previous`;
const CONFIGURATION = "/etc/ugate/ugate.yaml", UNIT = "/etc/systemd/system/ugate.service";

/** A root to install into, and beside it programs to install. */
class Machine implements AsyncDisposable {
  private constructor(readonly root: string, readonly folder: Folder) {}

  static async make(): Promise<Machine> {
    const folder = await Folder.make(), root = `${folder.path}/root`;
    await Deno.mkdir(root);
    return new Machine(root, folder);
  }

  /** A program that knows its version, and refuses a configuration with that word in it. */
  program(version: string, refused = "BROKEN"): Promise<string> {
    const text = `#!/bin/sh
case $1 in
  version) echo "ugate ${version}" ;;
  check) ! grep -n '${refused}' "$3" >&2 ;;
esac
`;
    return this.folder.write(`ugate-${version}`, text);
  }

  install = (...args: readonly string[]): Promise<Output> =>
    run("sh", [SCRIPT, "--root", this.root, ...args]);
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
  equal(await machine.read(PREVIOUS), await Deno.readTextFile(one));
  await machine.install(two);
  equal(
    await machine.read(PREVIOUS),
    await Deno.readTextFile(one),
    "an upgrade to the same version lost the one before",
  );
});

Deno.test("going back puts the version before in its place, and going back again undoes it", async () => {
  await using machine = await Machine.make();
  const one = await machine.program("1"), two = await machine.program("2");
  await machine.install(one);
  const none = await machine.install("--rollback");
  equal([none.code, none.stderr], [FAILED, `Cannot go back: there is no ${machine.root}${PREVIOUS}\n`]);
  await machine.install(two);
  equal((await machine.install("--rollback")).stdout, "went back to ugate 1\n");
  equal([await machine.read(BINARY), await machine.read(PREVIOUS)], [
    await Deno.readTextFile(one),
    await Deno.readTextFile(two),
  ]);
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
  equal(await machine.read(BINARY), await Deno.readTextFile(one));
  equal(await machine.files(), [UNIT, CONFIGURATION, BINARY]);
  equal((await machine.install("--force", two)).code, DONE);
  equal(await machine.read(BINARY), await Deno.readTextFile(two));
});

Deno.test("the configuration is checked with the variables that the unit gives", async () => {
  await using machine = await Machine.make();
  const program = await machine.folder.write(
    "program",
    '#!/bin/sh\n[ "$1" = version ] && echo "ugate 1" && exit\n[ "$SECRET" = "of two words" ]\n',
  );
  equal((await machine.install(program)).code, DONE);
  equal((await machine.install(program)).code, FAILED);
  await machine.write("/etc/ugate/environment", "# secrets\n\nSECRET=of two words");
  equal((await machine.install(program)).code, DONE);
});

Deno.test("uninstalling leaves nothing, and asks before it takes what somebody wrote", async () => {
  await using machine = await Machine.make();
  await machine.install(await machine.program("1"));
  await machine.install(await machine.program("2"));
  await Deno.mkdir(`${machine.root}/var/lib/ugate`, { recursive: true });
  await machine.write("/var/lib/ugate/last-good.yaml", "");
  await Deno.mkdir(`${machine.root}${UNIT}.d`);
  await machine.write(`${UNIT}.d/more.conf`, "[Service]\n");
  await machine.write(CONFIGURATION, "listeners: {}\n");
  const before = await machine.files();
  const asked = await machine.install("--uninstall");
  equal([asked.code, asked.stdout], [FAILED, ""]);
  for (const path of [CONFIGURATION, `${UNIT}.d`]) {
    ok(asked.stderr.includes(machine.root + path), asked.stderr);
  }
  equal(await machine.files(), before);
  equal((await machine.install("--uninstall", "--purge")).code, DONE);
  equal(await machine.files(), []);
  equal((await machine.install("--uninstall")).code, DONE);
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
