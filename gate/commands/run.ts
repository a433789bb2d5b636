/** `ugate run`: everything is checked, then bound, then served, until a signal. */
import { type Admin, startAdmin } from "../admin/server.ts";
import { compileSnapshot } from "../config/compile.ts";
import { type Configuration, LOG_LEVELS } from "../config/configuration.ts";
import { loadConfiguration } from "../config/load.ts";
import { causeChain } from "../errors.ts";
import { type LogFormat, messageLine } from "../journal.ts";
import { LogWriter } from "../log_writer.ts";
import { Passwords } from "../passwords.ts";
import { Scope } from "../scope.ts";
import { Supervisor } from "../supervisor.ts";
import { VERSION } from "../version.ts";
import { protocols } from "../../protocols/mod.ts";
import { discoveryOf } from "./discovery.ts";
import { banner } from "./banner.ts";

/** `deno task` delivers one Ctrl-C twice within a millisecond: a second signal counts from here on, ms. */
const SECOND_SIGNAL = 500;
const CLOSE_TIME = 2000;

/** Serves until SIGINT or SIGTERM, or until an engine breaks. `path`: the configuration; the exit code. */
export async function run(path: string | undefined): Promise<number> {
  if (Deno.build.os !== "linux") {
    console.error(`ugate: Cannot run on ${Deno.build.os}: the engine needs Linux (x86-64 or arm64, glibc)`);
    return 1;
  }
  try {
    const { config, files, warnings } = await loadConfiguration(path, protocols);
    for (const warning of warnings) console.error(`warning: ${warning}`);
    return await serve(config, files);
  } catch (thrown) {
    console.error(causeChain(thrown));
    return 1;
  }
}

async function serve(config: Configuration, files: readonly string[]): Promise<number> {
  const format: LogFormat = config.log.format === "auto"
    ? (Deno.stderr.isTerminal() ? "text" : "json")
    : config.log.format;
  const quiet = LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(config.log.level));
  const log = new LogWriter(
    (bytes) => Deno.stderr.write(bytes),
    (lines) => messageLine(format, "warn", `${lines} lines of this log are lost: nobody took them`),
  );
  const scope = new Scope();
  const signals = catchSignals();
  using discovery = discoveryOf(config);
  const passwords = new Passwords(usersOf(config));
  let supervisor: Supervisor | undefined, admin: Admin | undefined;
  try {
    supervisor = await Supervisor.start({
      snapshot: compileSnapshot(config, 1),
      addresses: Object.values(config.listeners).flatMap(({ name, addresses }) =>
        addresses.map((address) => ({ listener: name, address }))
      ),
      threads: config.engine.threads,
      worker: new URL("../threads/engine.ts", import.meta.url),
      discovery,
      login: (login) => passwords.check(login),
      log: {
        format,
        quiet,
        write: (lines) => log.write(lines),
      },
      scope,
    });
    const running = supervisor;
    discovery.onChange((patterns) => running.forget(patterns));
    admin = await startAdmin({
      address: config.admin.address ?? "off",
      metrics: config.admin.metrics ?? "off",
      status: () => ({ version: VERSION, ...running.status() }),
      healthy: () => true,
      ready: () => true,
    });
    if (!quiet.includes("warn")) {
      for (const warning of await startWarnings(config)) log.write(messageLine(format, "warn", warning));
    }
    console.log(banner({ listening: running.listening, config, admin: admin.addresses, files }));
    const broken = await Promise.race([signals.stopped, running.broken]);
    if (broken === undefined) return 0;
    console.error(causeChain(broken)); // who supervises us starts us again: better than a gate that accepts nobody
    return 1;
  } finally {
    await admin?.close();
    await supervisor?.stop();
    await scope.close(CLOSE_TIME);
    await log.flush(CLOSE_TIME);
    signals.release();
  }
}

function usersOf(config: Configuration): Record<string, Readonly<Record<string, string>>> {
  return Object.fromEntries(Object.values(config.listeners).map(({ name, users }) => [name, users ?? {}]));
}

/** The first signal stops; another one, if it is a second one and no echo, exits at once. */
function catchSignals(): { readonly stopped: Promise<void>; release(): void } {
  const stopped = Promise.withResolvers<void>();
  let first = 0;
  const caught = () => {
    if (first === 0) {
      first = performance.now();
      stopped.resolve();
    } else if (performance.now() - first > SECOND_SIGNAL) Deno.exit(1);
  };
  const names = ["SIGINT", "SIGTERM"] as const;
  for (const name of names) Deno.addSignalListener(name, caught);
  Deno.addSignalListener("SIGHUP", noReload);
  return {
    stopped: stopped.promise,
    release: () => {
      for (const name of names) Deno.removeSignalListener(name, caught);
      Deno.removeSignalListener("SIGHUP", noReload);
    },
  };
}

/** SIGHUP asks other gateways to reload, and comes when a terminal closes: neither is a reason to cut anyone. */
const noReload = () => console.error("Cannot reload: start again to apply a changed configuration");

/** Descriptors of a connection, and what the process needs besides. */
const PER_CONNECTION = 2, BESIDES = 100;

/** What an operator should know before the first connection. */
async function startWarnings({ limits }: Configuration): Promise<string[]> {
  const text = await Deno.readTextFile("/proc/self/limits");
  const descriptors = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Infinity);
  const enough = Math.floor((descriptors - BESIDES) / PER_CONNECTION);
  if (enough >= limits.connections) return [];
  return [
    `ulimit -n ${descriptors} is enough for about ${enough} of limits.connections ${limits.connections}`,
  ];
}
