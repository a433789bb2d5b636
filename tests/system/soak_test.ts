/** `deno task soak` in its short form, and that it would tell what is off. */
import { STATUS } from "../support/admin_api.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder, run } from "../support/child.ts";
import { judge } from "../soak/judge.ts";
import { CONNECTIONS } from "../soak/connections/course.ts";
import { KINDS } from "../soak/connections/kinds.ts";
import { HTTP } from "../soak/http/course.ts";
import { SSH } from "../soak/ssh/course.ts";
import type { StageReport } from "../soak/stage.ts";
import { TLS } from "../soak/tls/course.ts";

const MAIN = new URL("../soak/main.ts", import.meta.url).pathname;
/** Enough for most kinds of each; what is not drawn once in so many. */
const COURSES = [
  { course: CONNECTIONS, count: 2000, deaths: [0, 2] },
  { course: TLS, count: 1500, deaths: [0] },
  { course: HTTP, count: 2500, deaths: [0] },
  { course: SSH, count: 600, deaths: [0] },
];
const MOST_MISSING = 3;
/** ms for one on a machine that has more to do. */
const PATIENCE = 240_000;

for (const { course: { name, unit, kinds: all, mostContexts }, count, deaths: dying } of COURSES) {
  Deno.test(`${count} ${unit} of every kind, while what holds changes, leave nothing behind`, async () => {
    await using folder = await Folder.make();
    const file = `${folder.path}/report.json`;
    const args = ["run", "-A", MAIN, "--course", name, "--connections", String(count), "--json", file];
    const { code, stdout, stderr } = await run(Deno.execPath(), args, { most: PATIENCE });
    equal(code, 0, stdout + stderr);
    const { well, stages }: { well: boolean; stages: StageReport[] } = JSON.parse(
      await Deno.readTextFile(file),
    );
    equal(well, true);
    for (const { connections, kinds, events, samples } of stages) {
      ok(connections >= count && samples.length > 0);
      ok(events["reload applied"] > 0 && events["reload refused"] > 0);
      const missing = all.filter(({ name }) => kinds[name].made === 0);
      ok(missing.length <= MOST_MISSING, missing.map(({ name }) => name).join(", "));
    }
    equal(stages.map(({ deaths }) => deaths), dying);
    // A compiled program cannot be looked into.
    equal(stages[0].census !== undefined, mostContexts !== undefined && !Deno.env.get("UGATE_BINARY"));
    ok(stdout.includes("all is well"), stdout);
  });
}

Deno.test("a soak that is used wrongly says how it is used, and exits with 2; with --help it says so and exits with 0", async () => {
  const soak = (...args: string[]) => run(Deno.execPath(), ["run", "-A", MAIN, ...args]);
  const help = await soak("--help");
  equal([help.code, help.stderr], [0, ""]);
  for (const option of ["--course", "--connections", "--minutes", "--json"]) {
    ok(help.stdout.includes(option), help.stdout);
  }
  const wrong = [["--connections", "abc"], ["--minutes", "0"], ["--nonsense"], ["more"], ["--course", "x"]];
  for (const args of wrong) {
    const { code, stdout, stderr } = await soak(...args);
    equal([code, stdout], [2, ""]);
    ok(/^Cannot soak: .*\n\nUsage: deno task soak /.test(stderr) && !/^ +at /m.test(stderr), stderr);
  }
});

Deno.test("a soak tells of descriptors, memory, counters, faults and connections that are not as they should be", () => {
  const state = { sockets: 10, pipes: 10, others: 10, memory: 100 << 20, cpu: 1 };
  const kinds = Object.fromEntries(
    KINDS.map(({ name, outcomes }) => [name, { made: 2, records: { [outcomes[0]]: 2 } }]),
  );
  const report = {
    name: "a gate",
    unit: "connections",
    connections: 2 * KINDS.length,
    seconds: 1,
    events: { "reload applied": 1, "reload refused": 1 },
    deaths: 0,
    before: state,
    after: state,
    samples: [],
    kinds,
  };
  const listeners = STATUS.listeners.map((listener) => ({ ...listener, active: 0 }));
  const facts = {
    soaked: KINDS,
    spare: 0,
    tally: { made: {}, asked: 0, failures: 0, complaints: [], over: true },
    status: { ...STATUS, connections: 0, listeners },
    faults: [],
    code: 0,
    deaths: 0,
  };
  equal(judge(report, facts), []);
  const one = { thread: "one", connections: 0, contexts: 3, heap: 10 << 20, allocated: 5 << 20 };
  const counted = { heap: 20 << 20, threads: [one] };
  const told = judge(
    {
      ...report,
      events: {},
      census: {
        before: counted,
        after: { ...counted, threads: [{ ...one, connections: 2, contexts: 9, allocated: 25 << 20 }] },
      },
      after: { sockets: 11, pipes: 500, others: 20, memory: 200 << 20, cpu: 2 },
      kinds: {
        ...kinds,
        silence: { made: 2, records: { timeout: 1 } },
        forward: { made: 1, records: { internal: 1 } },
      },
    },
    {
      ...facts,
      mostContexts: 6,
      tally: { ...facts.tally, asked: 100, failures: 1, complaints: ["forward: it ended"] },
      status: { ...facts.status, connections: 3 },
      faults: ["engine fault"],
      code: 1,
      deaths: 2,
    },
  );
  equal(told, [
    "the gate told of a fault: engine fault",
    "3 connections are counted in all",
    "the gate ended with exit code 1",
    "11 sockets are open, before 10",
    "500 pipes are open, before 10",
    "20 descriptors of other kinds are open, before 10",
    "0 threads died, and 2 were to",
    "memory grew by 100.0 MiB",
    "1 connections were not served as they should",
    "forward: it ended",
    "libssl has 2 connections, before 0",
    "libssl has 9 contexts on one thread",
    "20.0 MiB more are in use",
    "forward: ended as 1 internal, expected ok",
    "silence: 1 records of 2 connections",
    "0 lines of 100 requests",
    "no configuration was applied",
    "no configuration was refused",
  ]);
});
