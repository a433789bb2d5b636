import { LastGood } from "../../../gate/config/last_good.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

const PLACE = "/etc/ugate/ugate.yaml";
const TEXTS = [{ file: PLACE, text: "listeners: { a: { users: { alice: secret-word } } } # ünïcode \u0000" }];
const modeOf = (path: string) => Deno.lstatSync(path).mode! & 0o777;
const nameOf = ({ path }: LastGood) => path.slice(path.lastIndexOf("/") + 1);
const namesIn = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name);

Deno.test("what is kept comes back as it was written, and only its owner can read it", async () => {
  await using folder = await Folder.make();
  const state = `${folder.path}/deep/state`, kept = new LastGood(state, PLACE);
  equal(await kept.read(), undefined);
  await kept.write(TEXTS);
  equal(await new LastGood(state, PLACE).read(), TEXTS);
  equal([modeOf(state), modeOf(kept.path)], [0o700, 0o600]);
  equal(modeOf(`${state}/last-good`), 0o700);
  equal(namesIn(`${state}/last-good`), [nameOf(kept)]);
});

Deno.test("files keep their order, and get their absolute paths", async () => {
  await using folder = await Folder.make();
  const kept = new LastGood(folder.path, "/conf.d");
  await kept.write([{ file: "conf.d/b.yaml", text: "b" }, { file: "/conf.d/a.yaml", text: "" }]);
  equal(await kept.read(), [
    { file: `${Deno.cwd()}/conf.d/b.yaml`, text: "b" },
    { file: "/conf.d/a.yaml", text: "" },
  ]);
});

Deno.test("of writes one after the other the last one holds, also a shorter one", async () => {
  await using folder = await Folder.make();
  const kept = new LastGood(folder.path, PLACE);
  const texts = Array.from({ length: 3 }, (_, i) => [{ file: PLACE, text: "x".repeat(100_000 - i * 1000) }]);
  for (const each of texts) await kept.write(each);
  equal(await kept.read(), texts.at(-1));
  equal(namesIn(`${folder.path}/last-good`), [nameOf(kept)]);
});

Deno.test("what is damaged or another program's is refused in words that repeat none of it", async () => {
  await using folder = await Folder.make();
  const kept = new LastGood(folder.path, PLACE);
  await kept.write(TEXTS);
  const whole = await Deno.readTextFile(kept.path);
  const damaged = [
    "",
    whole.slice(0, -20),
    "secret-word",
    "null",
    "[]",
    "{}",
    whole.replace("last-good 1", "last-good 2"),
    whole.replace('"text"', '"test"'),
    whole.replace(/"files":\[.*\]/, '"files":[]'),
    whole.replace(/"files":\[.*\]/, '"files":[null]'),
  ];
  for (const text of damaged) {
    await Deno.writeTextFile(kept.path, text);
    await rejects(
      kept.read(),
      /^Cannot read .*last-good\/[0-9a-f]{16}\.json: it is damaged, or another version of ugate wrote it$/,
    );
  }
  await Deno.truncate(kept.path, 9 * 1024 * 1024);
  await rejects(kept.read(), /it is damaged/);
  await Deno.remove(kept.path);
  await Deno.mkdir(kept.path);
  await rejects(kept.read(), /it is damaged/);
  await kept.write(TEXTS).then(() => ok(false), (error) => ok(/^Cannot write .*: /.test(error.message)));
  equal(namesIn(`${folder.path}/last-good`), [nameOf(kept)]);
});

Deno.test("gates that share a state directory keep their own, and none takes the place of another's", async () => {
  await using folder = await Folder.make();
  const other = new LastGood(folder.path, "/etc/other.yaml"), kept = new LastGood(folder.path, PLACE);
  const others = [{ file: "/etc/other.yaml", text: "other" }];
  await kept.write(TEXTS);
  await other.write(others);
  equal([await kept.read(), await other.read()], [TEXTS, others]);
  await Deno.copyFile(other.path, kept.path);
  await rejects(kept.read(), /: it is of \/etc\/other\.yaml, not of \/etc\/ugate\/ugate\.yaml$/);
});

Deno.test("of configurations at many places the oldest are forgotten, and nothing else there is touched", async () => {
  await using folder = await Folder.make();
  const at = (i: number) => new LastGood(folder.path, `/tmp/${i}.yaml`);
  for (let i = 0; i < 16; i++) {
    await at(i).write(TEXTS);
    await Deno.utime(at(i).path, 1e9 + i, 1e9 + i);
  }
  await folder.write("last-good/note", "");
  await at(2).write(TEXTS); // which is the newest now
  await at(16).write(TEXTS);
  await at(17).write(TEXTS);
  equal(namesIn(`${folder.path}/last-good`).length, 17);
  const left = await Promise.all(Array.from({ length: 18 }, (_, i) => at(i).read()));
  equal(left.flatMap((texts, i) => texts ? [] : [i]), [0, 1]);
});

Deno.test("what others may have written is refused", async () => {
  await using folder = await Folder.make();
  const kept = new LastGood(folder.path, PLACE);
  await kept.write(TEXTS);
  await Deno.chmod(kept.path, 0o620);
  await rejects(kept.read(), /: others than this user may have written it$/);
  await kept.write(TEXTS);
  equal(await kept.read(), TEXTS);
});

Deno.test("a write that fails leaves what was there, and says why", async () => {
  await using folder = await Folder.make();
  const plain = await folder.write("plain", "");
  await rejects(
    new LastGood(plain, PLACE).write(TEXTS),
    /^Cannot write .*plain\/last-good\/[0-9a-f]+\.json: /,
  );
  await rejects(
    new LastGood(`${plain}/state`, PLACE).write(TEXTS),
    /^Cannot write .*plain\/state\/last-good/,
  );
});
