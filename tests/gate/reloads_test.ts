/** Reloads alone: what it reads, applies and keeps are functions of the test. */
import type { ConfigurationText } from "../../gate/config/files.ts";
import { ConfigurationError, type Loaded, parseConfiguration } from "../../gate/config/load.ts";
import { Reloads } from "../../gate/reloads.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { toyProtocols } from "./config/toy_protocols.ts";

const FILE = "/etc/ugate/ugate.yaml";
const NOWHERE = { get: () => undefined };
const parse = (texts: readonly ConfigurationText[]) => parseConfiguration(texts, toyProtocols, NOWHERE);

/** A configuration that is told from others by its target. */
const yaml = (target: string) => `listeners: { edge: { address: "127.0.0.1:0", to: "${target}:1" } }\n`;
const load = (target: string, file = FILE) => parse([{ file, text: yaml(target) }]);
const BROKEN = "listeners: 7";
const targetOf = ({ config }: Loaded) => config.routes[0].to[0].target.host;

/** A gate that is not there. What happens is written down, and can be waited for. */
class Bench implements AsyncDisposable {
  disk = yaml("old");
  /** What apply answers for a target: undefined where it works. */
  refuses = new Map<string, string>();
  known = true;
  readonly done: string[] = [];
  readonly reloads: Reloads;
  readonly #waiting = new Set<() => void>();
  #gate: Promise<void> = Promise.resolve();

  constructor(readonly current: Loaded) {
    this.reloads = new Reloads({
      current,
      read: () => parse([{ file: current.files[0], text: this.disk }]),
      isKnown: () => Promise.resolve(this.known),
      parse,
      apply: (loaded) => this.#apply(loaded),
      keep: (loaded) => Promise.resolve(this.#note(`keep ${targetOf(loaded)} of ${loaded.texts[0].file}`)),
      log: ({ level, text }) => this.#note(`${level}: ${text}`),
      busy: (reloading) => this.#note(reloading ? "busy" : "idle"),
    });
  }

  /** From now on apply waits; what is answered lets it go on. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  /** The first of what happened that matches, now or soon; it is given back. */
  async until(pattern: RegExp, from = 0): Promise<string> {
    for (;;) {
      const found = this.done.slice(from).find((each) => pattern.test(each));
      if (found !== undefined) return found;
      await new Promise<void>((wake) => this.#waiting.add(wake));
    }
  }

  /** What happened, of these kinds alone. */
  of(...kinds: string[]): string[] {
    return this.done.filter((each) => kinds.some((kind) => each.startsWith(kind)));
  }

  /** Begins a trial of `target`; its id. */
  async begin(target: string, ms = 60_000): Promise<string> {
    const { result, trial } = await this.reloads.try(yaml(target), ms);
    equal(result, "applied");
    return trial!.id;
  }

  async #apply(loaded: Loaded) {
    const target = targetOf(loaded);
    this.#note(`begin ${target}`);
    await this.#gate;
    const reason = this.refuses.get(target);
    if (reason !== undefined) throw new Error(reason);
    this.#note(`apply ${target}`);
    return { changes: [`to ${target}`], warnings: [] };
  }

  #note(text: string): void {
    this.done.push(text);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reloads.stop();
  }
}

const bench = async (current = load("old")) => new Bench(await current);

Deno.test("what is on disk is applied, kept and counted; what is broken changes nothing", async () => {
  await using gate = await bench();
  gate.disk = yaml("new");
  equal((await gate.reloads.reload()).result, "applied");
  equal(gate.of("apply", "keep", "busy", "idle"), ["busy", "apply new", `keep new of ${FILE}`, "idle"]);
  gate.disk = BROKEN;
  const { result, problems } = await gate.reloads.reload();
  equal([result, problems.length, targetOf(gate.reloads.current)], ["refused", 1, "new"]);
  gate.disk = yaml("new");
  equal((await gate.reloads.reload()).result, "unchanged");
  const { counts, last, diskHolds } = gate.reloads.history;
  equal([counts, last?.result, diskHolds], [{ applied: 1, unchanged: 1, refused: 1 }, "unchanged", true]);
});

Deno.test("however many ask while one reload is under way, what is on disk is read once more", async () => {
  await using gate = await bench();
  const goOn = gate.hold();
  gate.disk = yaml("first");
  const first = gate.reloads.reload();
  await gate.until(/^begin first/);
  gate.disk = yaml("second");
  const others = Array.from({ length: 100 }, () => gate.reloads.reload());
  goOn();
  equal((await first).changes, ["to first"]);
  for (const other of others) equal((await other).changes, ["to second"]);
  equal(gate.of("apply"), ["apply first", "apply second"]);
  equal((await gate.reloads.reload()).result, "unchanged");
});

Deno.test("a trial that runs out is taken back first, and told of afterwards", async () => {
  await using gate = await bench();
  await gate.begin("new", 1);
  equal([targetOf(gate.reloads.current), gate.reloads.trial?.file], ["new", FILE]);
  await gate.until(/nobody confirmed/);
  const end = gate.done.slice(gate.done.indexOf("begin old"));
  equal(end, [
    "begin old",
    "apply old",
    "idle",
    "warn: nobody confirmed the configuration on trial: the one before holds again",
    "info: configuration applied: to old",
  ]);
  equal([gate.reloads.trial, targetOf(gate.reloads.current), gate.of("keep")], [undefined, "old", []]);
  equal(gate.reloads.history.counts.applied, 1);
});

Deno.test("where it cannot be taken back the trial goes on without time, and this is tried until it works", async () => {
  await using gate = await bench();
  const id = await gate.begin("new", 1);
  gate.refuses.set("old", "Cannot listen");
  equal(
    await gate.until(/^error/),
    "error: Cannot end the trial of a configuration: nobody confirmed it, and it holds on: Cannot listen; again in 1 s",
  );
  const { left, ...trial } = gate.reloads.trial!;
  equal([trial, left], [{ id, file: FILE, text: yaml("new") }, 0]);
  equal(targetOf(gate.reloads.current), "new");
  ok(await gate.until(/again in 2 s$/));
  gate.refuses.clear();
  await gate.until(/^warn: nobody confirmed/);
  equal([gate.reloads.trial, targetOf(gate.reloads.current)], [undefined, "old"]);
});

Deno.test("a reload, a confirmation and another trial decide what could not be taken back", async () => {
  const decide: Record<string, (gate: Bench, id: string) => Promise<unknown>> = {
    new: (gate, id) => gate.reloads.confirm(id),
    disk: (gate) => gate.reloads.reload(),
    other: (gate) => gate.begin("other"),
  };
  for (const [target, act] of Object.entries(decide)) {
    await using gate = await bench();
    gate.disk = yaml("disk");
    gate.refuses.set("old", "Cannot listen");
    const id = await gate.begin("new", 1);
    await gate.until(/^error/);
    await act(gate, id);
    equal([targetOf(gate.reloads.current), gate.reloads.trial?.text], [
      target,
      target === "other" ? yaml("other") : undefined,
    ]);
  }
});

Deno.test("what is confirmed is read once more as the file whose place it takes, kept, and holds for good", async () => {
  await using gate = await bench(load("old", "ugate.yaml"));
  gate.disk = BROKEN;
  await gate.reloads.reload();
  const id = await gate.begin("new");
  equal(gate.reloads.trial?.file, `${Deno.cwd()}/ugate.yaml`);
  equal([gate.of("keep"), gate.reloads.history.diskHolds], [[], false]);
  equal(await gate.reloads.confirm(id), "confirmed");
  const { files, config } = gate.reloads.current;
  equal([files, config.routes[0].place.split(":")[0]], [["ugate.yaml"], "ugate.yaml"]);
  equal(gate.of("keep"), ["keep new of ugate.yaml"]);
  equal([gate.reloads.trial, gate.reloads.history.diskHolds], [undefined, true]);
  equal(await gate.reloads.confirm(id), "over");
  gate.disk = yaml("new");
  equal((await gate.reloads.reload()).result, "unchanged");
});

Deno.test("a file that was changed unseen is not confirmed over; the trial goes on", async () => {
  await using gate = await bench();
  const id = await gate.begin("new");
  gate.known = false;
  equal([await gate.reloads.confirm(id), gate.reloads.trial?.id], ["changed", id]);
  equal(gate.of("keep"), []);
});

Deno.test("a confirmation that fails leaves the trial as it was", async () => {
  await using gate = await bench();
  const id = await gate.begin("new");
  gate.refuses.set("new", "Cannot now");
  await rejects(gate.reloads.confirm(id), /Cannot now/);
  equal([gate.reloads.trial?.id, gate.of("keep")], [id, []]);
});

Deno.test("who confirms while the time runs out is right, and nothing is taken back", async () => {
  await using gate = await bench();
  const id = await gate.begin("new", 1);
  const goOn = gate.hold();
  const confirmed = gate.reloads.confirm(id);
  await new Promise((later) => setTimeout(later, 1100)); // its time is over, and that waits behind the confirmation
  goOn();
  equal(await confirmed, "confirmed");
  await gate.reloads.stop(); // when what waited is over
  equal([gate.of("begin").at(-1), targetOf(gate.reloads.current), gate.of("warn")], ["begin new", "new", []]);
  equal(gate.reloads.history.counts, { applied: 1, unchanged: 0, refused: 0 });
});

Deno.test("a trial on a trial goes back to what held before both; one that is refused leaves the first", async () => {
  await using gate = await bench();
  const first = await gate.begin("first");
  const refused = await gate.reloads.try(BROKEN, 1);
  ok(refused.problems[0].startsWith("(trial):1:12 listeners: "), refused.problems[0]);
  equal([refused.result, gate.reloads.trial?.id], ["refused", first]);
  await gate.begin("second", 1);
  equal(await gate.reloads.confirm(first), "over");
  await gate.until(/^warn: nobody/);
  equal([targetOf(gate.reloads.current), gate.of("apply")], ["old", [
    "apply first",
    "apply second",
    "apply old",
  ]]);
});

Deno.test("a reload ends a trial, also where the same is on disk already, and keeps it", async () => {
  await using gate = await bench();
  await gate.begin("new");
  gate.disk = yaml("new");
  await gate.reloads.reload();
  equal([gate.reloads.trial, gate.of("keep")], [undefined, [`keep new of ${FILE}`]]);
  await gate.begin("other");
  gate.disk = yaml("old");
  await gate.reloads.reload();
  equal([gate.reloads.trial, targetOf(gate.reloads.current)], [undefined, "old"]);
  const told = gate.of("warn: what is on disk was read");
  equal(told, Array(2).fill("warn: what is on disk was read: the trial of a configuration is over"));
});

Deno.test("trials say nothing about what is on disk", async () => {
  await using gate = await bench();
  await gate.reloads.try(BROKEN, 1000);
  const { history } = gate.reloads;
  equal([history.diskHolds, history.last, history.counts.refused], [true, undefined, 1]);
  gate.disk = BROKEN;
  await gate.reloads.reload();
  await gate.begin("new", 1);
  equal(gate.reloads.history.diskHolds, false);
  await gate.until(/^warn: nobody/);
  equal([gate.reloads.history.diskHolds, gate.reloads.history.last?.result], [false, "refused"]);
});

Deno.test("what worked last holds in the place of what is on disk, until that is good again", async () => {
  await using gate = await bench(load("old").then((loaded) => ({ ...loaded, lastGood: true })));
  const told = () => [gate.reloads.history.diskHolds, gate.reloads.history.lastGood];
  equal(told(), [false, true]);
  await gate.begin("new", 1);
  equal(told(), [false, false]);
  await gate.until(/^warn: nobody/);
  equal(told(), [false, true]);
  equal([(await gate.reloads.reload()).result, told()], ["unchanged", [true, false]]);
});

Deno.test("a trial takes the place of one file: there is none of the built-in configuration, or of several", async () => {
  for (const files of [[], ["a.yaml", "b.yaml"]]) {
    await using gate = await bench(load("old").then((loaded) => ({ ...loaded, files })));
    const { result, problems } = await gate.reloads.try(yaml("new"), 1000);
    equal([result, gate.of("apply")], ["refused", []]);
    ok(/^Cannot try a configuration: .* whose place it could take$/.test(problems[0]), problems[0]);
  }
});

Deno.test("once it stops nothing is read, said to the service manager, or called a mistake of the file", async () => {
  await using gate = await bench();
  await gate.begin("new");
  const before = gate.done.length;
  await gate.reloads.stop();
  for (const act of [() => gate.reloads.reload(), () => gate.reloads.try(yaml("other"), 1000)]) {
    equal([(await act()).problems, gate.reloads.trial], [["Cannot reload: the gate stops"], undefined]);
  }
  const told = "info: configuration not read: the gate stops";
  equal(gate.done.slice(before), [told, told]);
  equal([gate.reloads.history.diskHolds, gate.reloads.history.counts.refused], [true, 0]);
});

Deno.test("what is in work when it stops is waited for, leaves no trial, and is not told to be ready", async () => {
  await using gate = await bench();
  const goOn = gate.hold();
  const tried = gate.reloads.try(yaml("new"), 1);
  await gate.until(/^begin new/);
  const stopped = gate.reloads.stop();
  goOn();
  await stopped;
  equal((await tried).result, "applied");
  equal([gate.reloads.trial, gate.of("busy", "idle")], [undefined, ["busy"]]);
});

Deno.test("what cannot be kept is told, and holds all the same", async () => {
  const current = await load("old");
  const told: string[] = [];
  const reloads = new Reloads({
    current,
    read: () => Promise.reject(new ConfigurationError([])),
    isKnown: () => Promise.resolve(true),
    parse,
    apply: () => Promise.resolve({ changes: [], warnings: [] }),
    keep: () => Promise.reject(new Error("Cannot write")),
    log: ({ level, text }) => void told.push(`${level}: ${text}`),
    busy: () => {},
  });
  await reloads.started();
  equal(told, ["warn: Cannot write; a start with --last-good will not find it"]);
  await reloads.stop();
});
