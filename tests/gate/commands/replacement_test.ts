import { Replacement } from "../../../gate/commands/replacement.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

const root = Deno.build.os === "linux" && Deno.uid() === 0;

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("a replacement waits beside the file under a hidden name, and leaves no trace when it is not wanted", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old");
  {
    await using replacement = await Replacement.prepare(file, "new");
    equal([replacement.file, await Deno.readTextFile(replacement.path)], [file, "new"]);
    ok(replacement.path.startsWith(`${folder.path}/.ugate.yaml.`) && !replacement.path.endsWith(".yaml"));
  }
  equal([await names(folder.path), await Deno.readTextFile(file)], [["ugate.yaml"], "old"]);
});

Deno.test("a replacement that was left stays for whoever finds it", async () => {
  await using folder = await Folder.make();
  {
    await using replacement = await Replacement.prepare(`${folder.path}/ugate.yaml`, "new");
    replacement.leave();
  }
  equal((await names(folder.path)).length, 1);
});

Deno.test("what is no file is not replaced", async () => {
  await using folder = await Folder.make();
  await rejects(Replacement.prepare(folder.path, ""), /^Cannot write \S+: it is no file$/);
  await rejects(Replacement.prepare("/dev/null", ""), /: it is no file$/);
  equal(await names(folder.path), []);
});

Deno.test({ name: "the owner stays where this user may give files away", ignore: !root }, async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old");
  await Deno.chown(file, 12345, 23456);
  await Deno.chmod(file, 0o640);
  await using replacement = await Replacement.prepare(file, "new");
  await replacement.take();
  const { uid, gid, mode } = await Deno.stat(file);
  equal([uid, gid, mode! & 0o777, replacement.lost], [12345, 23456, 0o640, undefined]);
});
