import { Registrations } from "../../gate/mesh/registrations.ts";
import { Scope } from "../../gate/scope.ts";
import { Supervisor, type SupervisorOptions } from "../../gate/supervisor.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { NO_KEYS } from "../support/no_keys.ts";
import { snapshotOf } from "../support/rules.ts";

async function startWith(worker: string, messages: string[] = [], threads = 1): Promise<Supervisor> {
  const options: SupervisorOptions = {
    threads,
    worker: () => new Worker(new URL(`../support/${worker}`, import.meta.url), { type: "module" }),
    bind: () => {
      throw new Error("nothing is to be bound");
    },
    discovery: () => ({ resolve: () => Promise.resolve(undefined) }),
    login: () => Promise.resolve("wrong"),
    token: () => Promise.resolve({ verdict: "misfit" }),
    keyring: () => NO_KEYS.keyring,
    print: () => Promise.reject(new Error("nothing is to be printed")),
    hear: () => {},
    log: ({ text }) => messages.push(text),
    scope: new Scope(),
    registrations: new Registrations({ domain: "", node: "gate", hosts: [], granted: [] }),
  };
  return await Supervisor.start(options, { snapshot: snapshotOf({}), wanted: [] });
}

Deno.test("an engine that ends again and again is given up, and every death is told", async () => {
  const messages: string[] = [];
  const supervisor = await startWith("dying_worker.ts", messages);
  equal((await supervisor.broken).message, "Cannot go on: engine 0 ended by itself");
  equal(supervisor.engines[0].restarts, 5);
  const deaths = messages.filter((text) => text.startsWith("Cannot go on: engine 0 ended by itself; "));
  equal(deaths.map((text) => text.split(", ").at(-1)), [
    ...Array(5).fill("it is started again"),
    "that is too often",
  ]);
  await supervisor.stop();
});

Deno.test("an engine that is stopped is not told as broken", async () => {
  const messages: string[] = [];
  const supervisor = await startWith("engine_worker.ts", messages);
  ok(supervisor.engines[0].alive);
  await supervisor.stop();
  equal(await Promise.race([supervisor.broken, Promise.resolve("whole")]), "whole");
  equal(messages, []);
});

Deno.test("an engine that hangs takes nothing away from who asks, and is told as one that does not run", async () => {
  const supervisor = await startWith("hanging_worker.ts", [], 2);
  await supervisor.count();
  await rejects(supervisor.list(10), /Cannot list connections: no engine answers/);
  const late = performance.now() + 10_000;
  while (supervisor.engines.some(({ alive }) => alive)) {
    ok(performance.now() < late, "it is told as alive");
    await new Promise((done) => setTimeout(done, 50));
  }
  await supervisor.count();
  await supervisor.stop();
});
