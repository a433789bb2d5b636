import { Scope } from "../../gate/scope.ts";
import { Supervisor, type SupervisorOptions } from "../../gate/supervisor.ts";
import { equal } from "../support/assert.ts";
import { snapshotOf } from "../support/rules.ts";

async function startWith(worker: string): Promise<Supervisor> {
  const options: SupervisorOptions = {
    snapshot: snapshotOf({}),
    addresses: [],
    threads: 1,
    worker: new URL(`../support/${worker}`, import.meta.url),
    discovery: { resolve: () => Promise.resolve(undefined) },
    login: () => Promise.resolve("wrong"),
    log: { format: "json", quiet: [], write: () => {} },
    scope: new Scope(),
  };
  return await Supervisor.start(options);
}

Deno.test("an engine that ends by itself is told", async () => {
  const supervisor = await startWith("dying_worker.ts");
  equal((await supervisor.broken).message, "Cannot go on: an engine ended by itself");
  await supervisor.stop();
});

Deno.test("an engine that is stopped is not told as broken", async () => {
  const supervisor = await startWith("engine_worker.ts");
  await supervisor.stop();
  equal(await Promise.race([supervisor.broken, Promise.resolve("whole")]), "whole");
});
