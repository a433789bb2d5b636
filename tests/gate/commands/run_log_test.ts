import { parseConfiguration } from "../../../gate/config/load.ts";
import { RunLog } from "../../../gate/commands/run_log.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";

const configured = async (log: string) =>
  (await parseConfiguration([{ file: "test.yaml", text: `log: ${log}\n` }], protocols)).config;

/** A log of which nothing is taken while `broken`. */
function made() {
  const state = { broken: false, text: "" };
  const log = new RunLog((bytes) => {
    if (state.broken) return Promise.reject(new Deno.errors.BrokenPipe("nobody reads"));
    state.text += new TextDecoder().decode(bytes);
    return Promise.resolve(bytes.length);
  });
  return { log, state };
}

Deno.test("what is said and what was lost are lines as the configuration of the moment has them", async () => {
  const { log, state } = made();
  let config = await configured("{ format: json }");
  log.follow(() => config);
  state.broken = true;
  log.warn("gone");
  await log.writer.flush(1000);
  state.broken = false;
  config = await configured("{ format: text }");
  log.warn("worth knowing");
  await log.writer.flush(1000);
  const lines = state.text.trimEnd().split("\n").map((line) => line.slice(line.indexOf("Z ") + 2));
  equal(lines, [
    "warn  warning    worth knowing",
    "warn  log-lost   1 lines of this log are lost: nobody took them",
  ]);
});

Deno.test("the level leaves out warnings and lost lines, and never a fault", async () => {
  const { log, state } = made();
  const config = await configured("{ format: json, level: error }");
  log.follow(() => config);
  state.broken = true;
  log.fault("promise", new Error("gone"));
  await log.writer.flush(1000);
  state.broken = false;
  log.warn("unsaid");
  log.fault("promise", new Error("told"));
  await log[Symbol.asyncDispose]();
  const { level, event, message, ...more } = JSON.parse(state.text);
  equal([level, event, Object.keys(more)], ["error", "fault", ["time"]]);
  ok(message.startsWith("fault (promise): told\nError: told\n    at "), message);
});
