/** The plain way to read `run` and its options, held against the library that reads every way. */
import fc from "fast-check";
import { plainRun, type RunOptions } from "../../../gate/commands/run_options.ts";
import { program } from "../../../gate/commands/program.ts";
import { equal, ok } from "../../support/assert.ts";

/** What the library reads; undefined: it refuses. */
function fullRun(args: readonly string[]): RunOptions | undefined {
  const ugate = program(() => {}), run = ugate.commands.find((command) => command.name() === "run")!;
  let read: RunOptions | undefined;
  for (const command of [ugate, run]) {
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  }
  run.action(({ config, lastGood = false, watch }) => {
    if (run.args.length === 0) read = { config, lastGood, watch };
  });
  try {
    ugate.parse(args as string[], { from: "user" });
  } catch {
    return undefined;
  }
  return read;
}

const word = fc.constantFrom(
  "-c",
  "--config",
  "a.yaml",
  "--last-good",
  "--no-watch",
  "",
  "-",
  "--",
  "-h",
  "--x",
);

Deno.test("what is read in the plain way is what the library reads", () => {
  let plain = 0;
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      const args = ["run", ...words], read = plainRun(args);
      if (read === undefined) return;
      plain++;
      equal(read, fullRun(args));
    }),
    { numRuns: 500 },
  );
  ok(plain > 10);
});

Deno.test("the ways that are documented are plain", () => {
  for (
    const [args, read] of [
      [[], {}],
      [["-c", "x"], { config: "x" }],
      [["--config", "x", "--last-good", "--no-watch"], { config: "x", lastGood: true, watch: false }],
    ] as const
  ) equal(plainRun(["run", ...args]), { config: undefined, lastGood: false, watch: true, ...read });
});

Deno.test("help, mistakes and other verbs are left to the library", () => {
  for (
    const args of [[], ["check"], ["run", "--help"], ["run", "x"], ["run", "-c"], ["run", "-cx"], [
      "run",
      "-c",
      "",
    ]]
  ) {
    equal(plainRun(args), undefined);
  }
});
