/**
 * `ugate run` with engine threads that a client can kill, or ask for their census: the released program has no way to. Its
 * argument is the file. SIGUSR2: the main thread's heap is collected, and the log says how much of it is taken.
 */
import { banner } from "../../gate/commands/banner.ts";
import type { ConfigurationText } from "../../gate/config/files.ts";
import { parseConfiguration } from "../../gate/config/load.ts";
import { LogWriter } from "../../gate/log_writer.ts";
import { Scope } from "../../gate/scope.ts";
import { protocols } from "../../protocols/mod.ts";
import { startService } from "../support/service.ts";
import { census, HEAP, heapTaken } from "../support/toy_census.ts";
import { death } from "../support/toy_death.ts";

const END_TIME = 2000;
const [file] = Deno.args;
const parse = (texts: readonly ConfigurationText[]) =>
  parseConfiguration(texts, { ...protocols, death, census });
const read = async () => await parse([{ file, text: await Deno.readTextFile(file) }]);
const log = new LogWriter((bytes) => Deno.stderr.write(bytes), String), scope = new Scope();
const worker = () => new Worker(new URL("./mortal_worker.ts", import.meta.url), { type: "module" });
const service = await startService({ read, parse, worker, log, scope });
Deno.addSignalListener("SIGHUP", () => void service.reload());
Deno.addSignalListener("SIGUSR2", () => {
  (globalThis as { gc?: () => void }).gc?.();
  console.error(JSON.stringify({ event: HEAP, level: "info", message: String(heapTaken()) }));
});
const ending = new Promise<undefined>((end) => Deno.addSignalListener("SIGTERM", () => end(undefined)));
const { listening, config, adminAddresses: admin } = service;
console.log(banner({ listening, config, admin, files: [file] }));
const broken = await Promise.race([ending, service.broken]);
await service.stop();
await scope.close(END_TIME);
await log.flush(END_TIME);
if (broken) console.error(broken.message);
Deno.exit(broken ? 1 : 0);
