import { AdminApi } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { need } from "../../../scripts/clients.ts";
import { Folder, run } from "../../support/child.ts";
import { UGATE, ugate } from "../../support/program.ts";

const NEW = "listeners: {} # new\n";

/** A gate that tries NEW in the place of `file`. */
function trying(file: string): AdminApi {
  const api = new AdminApi();
  api.state.trial = { id: "a b", file, text: NEW, left: 42_000 };
  return api;
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("confirm tells the gate, and puts the text in the file's place with its mode; nothing else is left", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old\n", 0o640);
  await using api = trying(file);
  let then = "";
  api.state.seen = async ({ url }) => {
    if (url.includes("/confirm")) then = await Deno.readTextFile(file);
  };
  const { code, stdout, stderr } = await ugate(["confirm", "--admin", api.address]);
  equal([code, stdout, stderr], [0, `confirmed: ${file} holds the configuration now\n`, ""]);
  equal([api.state.confirmed, then, await Deno.readTextFile(file)], ["a b", "old\n", NEW]);
  equal([(await Deno.stat(file)).mode! & 0o777, await names(folder.path)], [0o640, ["ugate.yaml"]]);
});

Deno.test("confirm follows a symbolic link, and leaves it a link", async () => {
  await using folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/real`);
  const real = await folder.write("real/edge.yaml", "old\n");
  const link = `${folder.path}/ugate.yaml`;
  await Deno.symlink("real/edge.yaml", link);
  await using api = trying(link);
  const { code, stdout } = await ugate(["confirm", "--json", "--admin", api.address]);
  equal([code, JSON.parse(stdout)], [0, { confirmed: true, file: real }]);
  equal([await Deno.readTextFile(real), await Deno.readLink(link)], [NEW, "real/edge.yaml"]);
});

Deno.test("a file that is not there yet is made, for its owner alone", async () => {
  await using folder = await Folder.make();
  const file = `${folder.path}/ugate.yaml`;
  await using api = trying(file);
  equal((await ugate(["confirm", "--admin", api.address])).code, 0);
  equal([await Deno.readTextFile(file), (await Deno.stat(file)).mode! & 0o777], [NEW, 0o600]);
});

Deno.test("without a trial confirm says so, as text and as data, and exits 1", async () => {
  await using api = new AdminApi();
  const problem = "there is no trial: it is over, or it was confirmed already";
  const text = await ugate(["confirm", "--admin", api.address]);
  equal(text, { ...text, code: 1, stdout: "", stderr: `ugate: Cannot confirm: ${problem}\n` });
  const data = await ugate(["confirm", "--json", "--admin", api.address]);
  equal([data.code, JSON.parse(data.stdout)], [1, { confirmed: false, problem }]);
});

Deno.test("a file that is named in another directory's words is not looked for in this one", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old\n");
  await using api = trying("ugate.yaml");
  const { code, stderr } = await ugate(["confirm", "--admin", api.address], { cwd: folder.path });
  equal([code, await Deno.readTextFile(file), api.state.confirmed], [1, "old\n", undefined]);
  ok(stderr.endsWith("what it answers is not what was asked for\n"), stderr);
});

Deno.test("a file that the gate finds changed stays as it is", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "edited\n");
  await using api = trying(file);
  api.state.changed = true;
  const { code, stdout, stderr } = await ugate(["confirm", "--json", "--admin", api.address]);
  const problem =
    `somebody changed ${file}, and the gate has not read it since: put there what is to hold, and say \`ugate reload\``;
  equal([code, JSON.parse(stdout), stderr], [
    1,
    { confirmed: false, problem },
    `ugate: Cannot confirm: ${problem}\n`,
  ]);
  equal([await Deno.readTextFile(file), await names(folder.path)], ["edited\n", ["ugate.yaml"]]);
});

Deno.test("a trial that ends while its file is written changes nothing on disk", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old\n");
  await using api = trying(file);
  api.state.seen = ({ url }) => {
    if (url.includes("/confirm")) api.state.trial = undefined;
  };
  const { code, stderr } = await ugate(["confirm", "--admin", api.address]);
  equal([code, await Deno.readTextFile(file), await names(folder.path)], [1, "old\n", ["ugate.yaml"]]);
  ok(/^ugate: Cannot confirm: there is no trial/.test(stderr), stderr);
});

Deno.test("where nobody can write, it is told before the gate confirms", async () => {
  await using folder = await Folder.make();
  for (const file of [`${folder.path}/none/ugate.yaml`, folder.path, "/proc/ugate.yaml"]) {
    await using api = trying(file);
    const { code, stdout, stderr } = await ugate(["confirm", "--admin", api.address]);
    equal([code, stdout, api.state.confirmed], [1, "", undefined], file);
    const says =
      "Cannot confirm, and nothing was changed: say it as a user who may write there, within 42 s: Cannot write";
    ok(stderr.startsWith(`${says} ${file}: `), stderr);
  }
});

Deno.test("where the file cannot take its place, it waits beside, and this is told", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old\n");
  await using api = trying(file);
  api.state.seen = async ({ url }) => {
    if (!url.includes("/confirm")) return;
    await Deno.remove(file);
    await Deno.mkdir(`${file}/in-the-way`, { recursive: true });
  };
  const { code, stderr } = await ugate(["confirm", "--admin", api.address]);
  const waiting = (await names(folder.path)).find((name) => name !== "ugate.yaml");
  ok(code === 1 && waiting, stderr);
  ok(stderr.includes(`put ${folder.path}/${waiting} in the place of ${file}`), stderr);
  equal(await Deno.readTextFile(`${folder.path}/${waiting}`), NEW);
});

Deno.test("a gate that dies before it answers may have confirmed: the text is kept, and this is told", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old\n");
  await using api = trying(file);
  const never = Promise.withResolvers<void>();
  api.state.seen = ({ url }) => {
    if (!url.includes("/confirm")) return;
    api.cut();
    return never.promise;
  };
  const { code, stderr } = await ugate(["confirm", "--admin", api.address]);
  never.resolve();
  ok(
    code === 1 && stderr.startsWith("Cannot tell whether the gate has confirmed: `ugate status` tells"),
    stderr,
  );
  equal([(await names(folder.path)).length, await Deno.readTextFile(file)], [2, "old\n"]);
});

const other = Deno.uid() === 0 && need("unshare");
Deno.test({
  name: "where the owner cannot stay it is told, and another group sees no more than everybody",
  ignore: !other,
}, async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old\n");
  await Deno.chown(file, 12345, 23456);
  await Deno.chmod(file, 0o664);
  await using api = trying(file);
  // In a user namespace that knows root alone, a file cannot be given to anybody else.
  const { code, stderr } = await run("unshare", [
    "-r",
    Deno.execPath(),
    ...UGATE,
    "confirm",
    "--admin",
    api.address,
  ]);
  equal([code, stderr], [0, `warning: ${file}: its owner is 0:0 and was 65534:65534\n`]);
  const { uid, gid, mode } = await Deno.stat(file);
  equal([uid, gid, mode! & 0o777], [0, 0, 0o644]);
});
