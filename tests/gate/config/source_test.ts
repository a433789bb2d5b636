import { absolute, ConfigurationSource } from "../../../gate/config/source.ts";
import { equal, rejects } from "../../support/assert.ts";
import { Folder, succeed } from "../../support/child.ts";

const NOTHING = { get: () => undefined };

Deno.test("what is at the path differs when its text, its files or what is wrong with it do, and not when it is touched", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("b.yaml", "one");
  const source = new ConfigurationSource(folder.path, NOTHING);
  const differs = async (change: () => Promise<unknown>) => {
    await change();
    const answer = await source.differs();
    await source.read().catch(() => {});
    equal(await source.differs(), false);
    return answer;
  };
  await source.read();
  equal(await differs(() => Deno.utime(file, 1, 1)), false);
  equal(await differs(() => folder.write("b.yaml", "one")), false);
  equal(await differs(() => folder.write("notes.txt", "two")), false);
  equal(await differs(() => folder.write("b.yaml", "two")), true);
  equal(await differs(() => folder.write("a.yaml", "two")), true);
  equal(await differs(() => Deno.rename(file, `${folder.path}/c.yaml`)), true);
  equal(await differs(() => folder.write("a.yaml", Uint8Array.of(0xff))), true);
  equal(await differs(() => folder.write("a.yaml", Uint8Array.of(0xfe))), false, "the same mistake");
});

Deno.test("what is there is known as it was read, also where it was broken, or as it is given, by any name of the file", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "one");
  const source = new ConfigurationSource(file, NOTHING);
  await source.read();
  const given = [{ file, text: "two" }];
  equal(await source.isKnown(given), true);
  await folder.write("ugate.yaml", "two");
  equal([await source.isKnown(given), await source.isKnown([])], [true, false]);
  await folder.write("ugate.yaml", Uint8Array.of(0xff));
  equal(await source.isKnown(given), false);
  await source.read().catch(() => {});
  equal(await source.isKnown(given), true);
  await Deno.remove(file);
  equal(await source.isKnown(given), false);
  await succeed("mkfifo", [file]);
  equal([await source.isKnown(given), await source.differs()], [false, true], "nobody waits for its writer");
  const relative = await inFolder(
    folder.path,
    `Deno.removeSync("ugate.yaml");
     write("one");
     await source.read();
     write("two");
     return { known: await source.isKnown([{ file: Deno.cwd() + "/ugate.yaml", text: "two" }]) };`,
  );
  equal(relative, { known: true });
});

Deno.test("a file that was read and is gone is an error, and no reason to use another one", async () => {
  await using folder = await Folder.make();
  const source = new ConfigurationSource(await folder.write("a.yaml", "one"), NOTHING);
  equal(source.paths, [`${folder.path}/a.yaml`]);
  equal(await source.read(), [{ file: `${folder.path}/a.yaml`, text: "one" }]);
  equal(source.texts.map(({ text }) => text), ["one"]);
  await Deno.remove(`${folder.path}/a.yaml`);
  equal(await source.differs(), true);
  await rejects(source.read(), /a\.yaml: Cannot read: there is no such file$/);
  equal([source.texts, await source.differs()], [[], false]);
});

Deno.test("one file has one path, however it is spelled, and a link is no way back", async () => {
  await using folder = await Folder.make();
  const root = folder.path;
  await Deno.mkdir(`${root}/real/deep`, { recursive: true });
  await Deno.symlink("real/deep", `${root}/link`);
  for (
    const text of ["a.yaml", "./a.yaml", "real/../a.yaml", "real/deep/../../a.yaml", "real//./..//a.yaml"]
  ) {
    equal(absolute(`${root}/${text}`), `${root}/a.yaml`, text);
  }
  equal(absolute(`${root}/link/../a.yaml`), `${root}/link/../a.yaml`);
  equal(absolute(`${root}/link/../../a.yaml`), `${root}/link/../../a.yaml`);
  equal(absolute(`${root}/conf.d/`), `${root}/conf.d`);
  equal([absolute("/"), absolute("/../a"), absolute("a")], ["/", "/a", `${Deno.cwd()}/a`]);
});

/** The default places, as a program sees them that runs in `cwd`. */
async function inFolder(cwd: string, script: string): Promise<unknown> {
  const module = new URL("../../../gate/config/source.ts", import.meta.url).href;
  const code = `import { ConfigurationSource } from "${module}";
    const source = new ConfigurationSource(undefined, { get: () => undefined });
    const write = (text) => Deno.writeTextFileSync("ugate.yaml", text);
    console.log(JSON.stringify(await (async () => { ${script} })()));`;
  const file = `${cwd}/script.js`;
  await Deno.writeTextFile(file, code);
  return JSON.parse((await succeed(Deno.execPath(), ["run", "-A", "--no-check", file], { cwd })).stdout);
}

Deno.test("a pipe that takes the place of a file, or stands in a directory, is refused and not waited for", async () => {
  await using folder = await Folder.make();
  const pipe = (path: string) => succeed("mkfifo", [path]);
  const file = await folder.write("ugate.yaml", "log: { level: info }");
  const source = new ConfigurationSource(file, Deno.env);
  await source.read();
  await Deno.remove(file);
  await pipe(file);
  await rejects(source.read(), /ugate\.yaml: Cannot read: it was a file, and is a pipe or a device now$/);

  const directory = `${folder.path}/conf.d`;
  await Deno.mkdir(directory);
  await pipe(`${directory}/b.yaml`);
  const whole = new ConfigurationSource(directory, Deno.env);
  await rejects(whole.read(), /b\.yaml: expected a file, or a link to one$/);
});

Deno.test("where no file was, all default places are looked at, and the first that is read is kept to", async () => {
  await using folder = await Folder.make();
  const told = await inFolder(
    folder.path,
    `const before = source.paths, none = await source.read();
     write("one");
     const differs = await source.differs();
     const read = await source.read();
     Deno.removeSync("ugate.yaml");
     const gone = await source.read().catch(({ message }) => message);
     return { before, none: none === undefined, differs, read, after: source.paths, gone };`,
  );
  equal(told, {
    before: [`${folder.path}/ugate.yaml`, "/etc/ugate/ugate.yaml"],
    none: true,
    differs: true,
    read: [{ file: "ugate.yaml", text: "one" }],
    after: [`${folder.path}/ugate.yaml`],
    gone: "ugate.yaml: Cannot read: there is no such file",
  });
});

Deno.test("what came from a pipe is read once, and does not differ", async () => {
  const module = new URL("../../../gate/config/source.ts", import.meta.url).href;
  const code = `import { ConfigurationSource } from "${module}";
    const source = new ConfigurationSource("/dev/stdin", { get: () => undefined });
    const [{ text }] = await source.read();
    const differs = await source.differs(), again = await source.read().catch(({ message }) => message);
    console.log(JSON.stringify({ text, differs, again }));`;
  await using folder = await Folder.make();
  const args = ["run", "-A", "--no-check", await folder.write("script.js", code)];
  const { stdout } = await succeed(Deno.execPath(), args, { stdin: "one" });
  equal(JSON.parse(stdout), {
    text: "one",
    differs: false,
    again: "/dev/stdin: Cannot read again: what came from a pipe is gone",
  });
});
