import { need } from "../../../scripts/clients.ts";
import { ConfigurationSource } from "../../../gate/config/source.ts";
import { ConfigurationWatch, type WatchTimes } from "../../../gate/config/watch.ts";
import { equal, ok } from "../../support/assert.ts";
import { Child, Folder, run } from "../../support/child.ts";

const NOTHING = { get: () => undefined };
/** Nothing but an event is in time. */
const EVENTS_ALONE: WatchTimes = { quiet: 50, poll: 3_600_000 };
/** How long something that has to come may take, ms. */
const PATIENCE = 15_000;

/** A gate that reads again whenever it is told to. */
class Watched implements AsyncDisposable {
  readonly source: ConfigurationSource;
  readonly warnings: string[] = [];
  /** What it read each time it was told. */
  readonly told: string[] = [];
  /** How often the content was compared. */
  compared = 0;
  #watch!: ConfigurationWatch;
  #happened = Promise.withResolvers<void>();

  private constructor(path: string) {
    this.source = new ConfigurationSource(path, NOTHING);
    const differs = this.source.differs.bind(this.source);
    this.source.differs = async () => {
      const answer = await differs();
      this.compared++;
      queueMicrotask(() => this.#happens());
      return answer;
    };
  }

  static async start(path: string, times = EVENTS_ALONE): Promise<Watched> {
    const watched = new Watched(path);
    await watched.#read();
    watched.#watch = ConfigurationWatch.start(watched.source, {
      changed: () =>
        void watched.#read().then((text) => watched.told.push(text)).then(() => watched.#happens()),
      warn: (warning) => watched.warnings.push(warning),
    }, times);
    await watched.until(() => watched.compared === 1); // it watches, and has seen what there is
    return watched;
  }

  async #read(): Promise<string> {
    const texts = await this.source.read().catch((
      { message },
    ) => [{ text: `refused${message.replace(/^.*:/, ":")}` }]);
    return (texts ?? []).map(({ text }) => text).join("+");
  }

  #happens(): void {
    this.#happened.resolve();
    this.#happened = Promise.withResolvers();
  }

  async until(condition: () => boolean): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`not within ${PATIENCE} ms: ${this.told}`)),
      PATIENCE,
    );
    try {
      while (!condition()) await Promise.race([this.#happened.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Makes a change, and waits until it was told and `text` was read. */
  async becomes(text: string, change: () => Promise<unknown>): Promise<void> {
    const before = this.told.length;
    await change();
    await this.until(() => this.told.length > before && this.told.at(-1) === text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
  }
}

async function replace(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, text);
  await Deno.rename(`${path}.new`, path);
}

Deno.test("a file is seen to change in place, by a rename, by going and by coming back", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "one");
  await using watched = await Watched.start(file);
  await watched.becomes("two", () => folder.write("ugate.yaml", "two"));
  await watched.becomes("three", () => replace(file, "three"));
  await watched.becomes("four", () => replace(file, "four"));
  await watched.becomes("refused: there is no such file", () => Deno.remove(file));
  await watched.becomes("five", () => folder.write("ugate.yaml", "five"));
});

Deno.test("an editor that moves the file away, writes another and keeps a backup makes one change", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "one");
  await using watched = await Watched.start(file, { ...EVENTS_ALONE, quiet: 1000 });
  await watched.becomes("two", async () => {
    await folder.write("4913", "");
    await Deno.remove(`${folder.path}/4913`);
    await Deno.rename(file, `${file}~`);
    await folder.write("ugate.yaml", "two");
  });
  equal(watched.told, ["two"]);
});

Deno.test("a touch, and the same text once more, are not told", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "one");
  await using watched = await Watched.start(file);
  for (const change of [() => Deno.utime(file, 1, 1), () => replace(file, "one")]) {
    const before = watched.compared;
    await change();
    await watched.until(() => watched.compared > before);
  }
  equal(watched.told, []);
});

Deno.test("a file that is being written is not told before it is whole", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "old");
  await using watched = await Watched.start(file, { ...EVENTS_ALONE, quiet: 1000 });
  const parts = Array.from({ length: 20 }, (_, i) => `line ${i}\n`);
  await watched.becomes(parts.join(""), async () => {
    using opened = await Deno.open(file, { write: true, truncate: true });
    for (const part of parts) {
      await opened.write(new TextEncoder().encode(part));
      await opened.sync();
    }
  });
  equal(watched.told.length, 1);
});

Deno.test("of a directory the *.yaml that come, change and go are told, and nothing else is", async () => {
  await using folder = await Folder.make();
  await folder.write("b.yaml", "b");
  await using watched = await Watched.start(folder.path);
  await watched.becomes("a+b", () => folder.write("a.yaml", "a"));
  await folder.write("notes.txt", "of no interest");
  await folder.write(".hidden.yaml", "neither");
  await watched.becomes("a+B", () => folder.write("b.yaml", "B"));
  await watched.becomes("B+a", () => Deno.rename(`${folder.path}/a.yaml`, `${folder.path}/c.yaml`));
  await watched.becomes("B", () => Deno.remove(`${folder.path}/c.yaml`));
  await watched.becomes("refused: this directory has no *.yaml", () => Deno.remove(`${folder.path}/b.yaml`));
});

/** A volume as the kubelet makes one of a ConfigMap: a new generation is in force when `..data` leads to it. */
async function publish(folder: Folder, generation: number, text: string): Promise<void> {
  const data = `${folder.path}/..data`, name = `..2026_${generation}`;
  await Deno.mkdir(`${folder.path}/${name}`);
  await folder.write(`${name}/ugate.yaml`, text);
  await Deno.symlink(name, `${data}_tmp`);
  await Deno.rename(`${data}_tmp`, data);
  if (generation > 1) await Deno.remove(`${folder.path}/..2026_${generation - 1}`, { recursive: true });
}

for (const what of ["a file", "a directory"]) {
  Deno.test(`${what} of a Kubernetes ConfigMap is seen to change, again and again`, async () => {
    await using folder = await Folder.make();
    await publish(folder, 1, "one");
    await Deno.symlink("..data/ugate.yaml", `${folder.path}/ugate.yaml`);
    await using watched = await Watched.start(what === "a file" ? `${folder.path}/ugate.yaml` : folder.path);
    await watched.becomes("two", () => publish(folder, 2, "two"));
    await watched.becomes("three", () => publish(folder, 3, "three"));
    await watched.becomes("four", () => publish(folder, 4, "four"));
  });
}

Deno.test("behind symbolic links each of them, and what they lead to, is watched", async () => {
  await using folder = await Folder.make();
  await using elsewhere = await Folder.make();
  const real = await elsewhere.write("real.yaml", "one");
  await Deno.symlink(real, `${elsewhere.path}/link.yaml`);
  await Deno.symlink(`../${elsewhere.path.split("/").at(-1)}`, `${folder.path}/there`);
  await using watched = await Watched.start(`${folder.path}/there/link.yaml`);
  await watched.becomes("two", () => elsewhere.write("real.yaml", "two"));
  const other = await folder.write("other.yaml", "three");
  await watched.becomes("three", async () => {
    await Deno.symlink(other, `${elsewhere.path}/new`);
    await Deno.rename(`${elsewhere.path}/new`, `${elsewhere.path}/link.yaml`);
  });
  await watched.becomes("four", () => folder.write("other.yaml", "four"));
  await watched.becomes("five", async () => {
    await folder.write("link.yaml", "five");
    await Deno.remove(`${folder.path}/there`);
    await Deno.symlink(".", `${folder.path}/there`);
  });
});

for (const what of ["a file's", "a configuration's"]) {
  Deno.test(`${what} directory that is replaced, or removed and made again, is watched again`, async () => {
    await using folder = await Folder.make();
    const directory = `${folder.path}/conf.d`, file = `${directory}/ugate.yaml`;
    const make = async (path: string, text: string) => {
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${path}/ugate.yaml`, text);
    };
    await make(directory, "one");
    await using watched = await Watched.start(what === "a file's" ? file : directory);
    await watched.becomes("two", async () => {
      await make(`${directory}.new`, "two");
      await Deno.rename(directory, `${directory}.old`);
      await Deno.rename(`${directory}.new`, directory);
    });
    await watched.becomes("three", () => Deno.writeTextFile(file, "three"));
    const gone = "refused: there is no such file";
    await watched.becomes(gone, () => Deno.remove(directory, { recursive: true }));
    await watched.becomes("four", () => make(directory, "four"));
    await watched.becomes("five", () => Deno.writeTextFile(file, "five"));
    await Deno.remove(directory, { recursive: true });
    await watched.becomes("six", () => make(directory, "six"));
    await watched.becomes("seven", () => Deno.writeTextFile(file, "seven"));
  });
}

Deno.test("a place where nothing is yet, not even its directory, is watched", async () => {
  await using folder = await Folder.make();
  await using watched = await Watched.start(`${folder.path}/conf/ugate/ugate.yaml`);
  await watched.becomes("one", async () => {
    await Deno.mkdir(`${folder.path}/new/ugate`, { recursive: true });
    await folder.write("new/ugate/ugate.yaml", "one");
    await Deno.rename(`${folder.path}/new`, `${folder.path}/conf`);
  });
  await watched.becomes("two", () => folder.write("conf/ugate/ugate.yaml", "two"));
});

Deno.test("what changed between reading and watching is told", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "one");
  const source = new ConfigurationSource(file, NOTHING);
  await source.read();
  await folder.write("ugate.yaml", "two");
  const { promise, resolve } = Promise.withResolvers<void>();
  await using _watch = ConfigurationWatch.start(source, { changed: resolve, warn: () => {} }, EVENTS_ALONE);
  await promise;
});

Deno.test("without events a change is seen by looking", async () => {
  await using folder = await Folder.make();
  // Of the directories above one is watched no more: a change of theirs makes no event.
  await Deno.mkdir(`${folder.path}/a/b`, { recursive: true });
  await folder.write("a/b/ugate.yaml", "one");
  await using watched = await Watched.start(`${folder.path}/a/b/ugate.yaml`, { quiet: 50, poll: 100 });
  await watched.becomes("two", async () => {
    await Deno.mkdir(`${folder.path}/new/b`, { recursive: true });
    await folder.write("new/b/ugate.yaml", "two");
    await Deno.rename(`${folder.path}/a`, `${folder.path}/old`);
    await Deno.rename(`${folder.path}/new`, `${folder.path}/a`);
  });
});

const WATCHING = `
import { ConfigurationSource } from "${new URL("../../../gate/config/source.ts", import.meta.url)}";
import { ConfigurationWatch } from "${new URL("../../../gate/config/watch.ts", import.meta.url)}";
const source = new ConfigurationSource(Deno.args[0], { get: () => undefined });
await source.read();
ConfigurationWatch.start(source, {
  changed: () => console.log("changed"),
  warn: (warning) => console.log("warning:", warning),
}, { quiet: 20, poll: 50 });
console.log("started");
`;

async function canLimitInotify(): Promise<boolean> {
  if (!need("unshare")) return false;
  const limit = "echo 0 > /proc/sys/user/max_inotify_watches";
  return (await run("unshare", ["--user", "--map-root-user", "sh", "-c", limit])).code === 0;
}

for (const limit of ["max_inotify_watches", "max_inotify_instances"]) {
  Deno.test({
    name: `where ${limit} is exhausted one warning comes, and a change is seen by looking`,
    ignore: !await canLimitInotify(),
    async fn() {
      await using folder = await Folder.make();
      const file = await folder.write("ugate.yaml", "one"),
        script = await folder.write("script.js", WATCHING);
      const command = `echo 0 > /proc/sys/user/${limit}; exec "$@"`;
      const args = ["--user", "--map-root-user", "sh", "-c", command, "sh", Deno.execPath()];
      await using child = new Child("unshare", [...args, "run", "-A", "--no-check", script, file]);
      await child.line(/^started$/m);
      for (const text of ["two", "three"]) {
        await folder.write("ugate.yaml", text);
        const times = text === "two" ? 1 : 2;
        await child.until(() => [...child.stdout.matchAll(/^changed$/gm)].length >= times ? true : undefined);
      }
      const warnings = [...child.stdout.matchAll(/^warning: (.*)$/gm)].map(([, warning]) => warning);
      equal(warnings.length, 1);
      ok(/^Cannot watch the configuration on disk: .*; it is looked at every 0.05 s$/.test(warnings[0]));
    },
  });
}
