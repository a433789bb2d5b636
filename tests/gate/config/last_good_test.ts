import { LastGood } from "../../../gate/config/last_good.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

const PLACE = "/etc/ugate/ugate.yaml";
const TEXTS = [{ file: PLACE, text: "listeners: { a: { users: { alice: secret-word } } } # ünïcode \u0000" }];
const modeOf = (path: string) => Deno.lstatSync(path).mode! & 0o777;
const namesIn = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name);

Deno.test("what is kept comes back as it was written, and only its owner can read it", async () => {
  await using folder = await Folder.make();
  const state = `${folder.path}/deep/state`, kept = new LastGood(state, PLACE);
  equal(await kept.read(), undefined);
  await kept.write(TEXTS);
  equal(await new LastGood(state, PLACE).read(), TEXTS);
  equal([modeOf(state), modeOf(kept.path)], [0o700, 0o600]);
  equal(namesIn(state), ["last-good.json"]);
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
  equal(namesIn(folder.path), ["last-good.json"]);
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
      /^Cannot read .*last-good\.json: it is damaged, or another version of ugate wrote it$/,
    );
  }
  await Deno.truncate(kept.path, 9 * 1024 * 1024);
  await rejects(kept.read(), /it is damaged/);
  await Deno.remove(kept.path);
  await Deno.mkdir(kept.path);
  await rejects(kept.read(), /it is damaged/);
  await kept.write(TEXTS).then(() => ok(false), (error) => ok(/^Cannot write .*: /.test(error.message)));
  equal(namesIn(folder.path), ["last-good.json"]);
});

Deno.test("another gate's configuration, and one that others may have written, are refused", async () => {
  await using folder = await Folder.make();
  await new LastGood(folder.path, "/etc/other.yaml").write(TEXTS);
  const kept = new LastGood(folder.path, PLACE);
  await rejects(
    kept.read(),
    /: it is of \/etc\/other\.yaml, not of \/etc\/ugate\/ugate\.yaml \(one node\.state for each gate\)$/,
  );
  await kept.write(TEXTS);
  await Deno.chmod(kept.path, 0o620);
  await rejects(kept.read(), /: others than this user may have written it$/);
  await kept.write(TEXTS);
  equal(await kept.read(), TEXTS);
});

Deno.test("a write that fails leaves what was there, and says why", async () => {
  await using folder = await Folder.make();
  const plain = await folder.write("plain", "");
  await rejects(new LastGood(plain, PLACE).write(TEXTS), /^Cannot write .*plain\/last-good\.json: /);
  await rejects(
    new LastGood(`${plain}/state`, PLACE).write(TEXTS),
    /^Cannot write .*plain\/state\/last-good/,
  );
});
