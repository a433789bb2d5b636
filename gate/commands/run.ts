/** `ugate run`: everything is checked, then bound, then served, until a signal; then who is there may finish. */
import type { Configuration } from "../config/configuration.ts";
import { LastGood } from "../config/last_good.ts";
import { ConfigurationError, type Loaded, loadFrom, type Parse } from "../config/load.ts";
import { parseApart } from "../config/parser.ts";
import { recover } from "../config/recover.ts";
import { ConfigurationSource } from "../config/source.ts";
import { ConfigurationWatch } from "../config/watch.ts";
import { listenOn } from "../engine/bind.ts";
import { InheritedSockets } from "../engine/inherited.ts";
import { openFilesLimit } from "../engine/sys.ts";
import { causeChain } from "../errors.ts";
import type { Message } from "../log.ts";
import { logFormat, messageLine } from "../log_line.ts";
import { LogWriter } from "../log_writer.ts";
import { Scope } from "../scope.ts";
import { Service } from "../service.ts";
import { Systemd } from "../systemd.ts";
import { banner } from "./banner.ts";
import { discoveryOf } from "./discovery.ts";
import type { RunOptions } from "./run_options.ts";
import { Signals } from "./signals.ts";
import type { Threads } from "./start.ts";

const CLOSE_TIME = 2000;

/** Where this gate's configuration is, what reads it, and who serves. */
interface Means {
  readonly source: ConfigurationSource;
  readonly parse: Parse;
  readonly systemd: Systemd;
  readonly threads: Threads;
}

/** Serves until SIGINT or SIGTERM, or until engines break. The exit code. */
export async function run(options: RunOptions, threads: Threads): Promise<number> {
  try {
    const systemd = Systemd.fromEnvironment(Deno.env, (message) => console.error(`warning: ${message}`));
    const source = new ConfigurationSource(options.config, Deno.env);
    const parse: Parse = (texts) => parseApart(texts, threads.parser);
    const loaded = await firstConfiguration(source, parse, options.lastGood);
    for (const warning of loaded.warnings) console.error(`warning: ${warning}`);
    return await serve(loaded, { source, parse, systemd, threads }, options);
  } catch (thrown) {
    console.error(causeChain(thrown));
    return 1;
  }
}

/** What is on disk; where that is broken and `lastGood` says so, what worked last. */
async function firstConfiguration(
  source: ConfigurationSource,
  parse: Parse,
  lastGood: boolean,
): Promise<Loaded> {
  try {
    return await loadFrom(source, parse);
  } catch (thrown) {
    if (!lastGood || !(thrown instanceof ConfigurationError)) throw thrown;
    try {
      return await recover(thrown, source, parse);
    } catch (hopeless) {
      console.error(causeChain(thrown));
      throw hopeless;
    }
  }
}

async function serve(loaded: Loaded, means: Means, { watch }: RunOptions): Promise<number> {
  const { source, systemd } = means;
  await using cleanup = new AsyncDisposableStack();
  const inherited = cleanup.use(new InheritedSockets(systemd.passed));
  const warnings = [...inherited.sortOut(placesOf(loaded.config)), ...descriptorWarnings(loaded.config)];
  let running: Service | undefined;
  const signals = cleanup.use(new Signals(() => void running?.reload()));
  const service = running = await startService(loaded, means, inherited, cleanup);
  const warn = (text: string) => service.say({ level: "warn", event: "warning", text });
  for (const text of warnings) warn(text);
  if (watch) cleanup.use(ConfigurationWatch.start(source, { changed: () => void service.reload(), warn }));
  if (systemd.watchdog !== undefined) {
    const timer = setInterval(() => service.healthy() && systemd.alive(), systemd.watchdog);
    cleanup.defer(() => clearInterval(timer));
  }
  const { listening, config, adminAddresses: admin } = service;
  console.log(banner({ listening, config, admin, files: loaded.files }));
  systemd.ready(`serves ${listening.length} addresses`);
  const broken = await Promise.race([signals.ending, service.broken]);
  systemd.stopping();
  if (broken !== undefined) {
    console.error(causeChain(broken)); // who supervises us starts us again: better than a gate that accepts nobody
    return 1;
  }
  await service.drain();
  return 0;
}

/** What it needs of this process; `cleanup` ends it. */
async function startService(
  loaded: Loaded,
  { source, parse, systemd, threads }: Means,
  inherited: InheritedSockets,
  cleanup: AsyncDisposableStack,
): Promise<Service> {
  const terminal = Deno.stderr.isTerminal();
  const formatOf = ({ log }: Configuration) => logFormat(log.format, { terminal, colors: !Deno.noColor });
  const log = new LogWriter(
    (bytes) => Deno.stderr.write(bytes),
    (lines) => messageLine(formatOf(loaded.config), lostMessage(lines)),
  );
  cleanup.defer(() => log.flush(CLOSE_TIME));
  const scope = new Scope();
  cleanup.defer(async () => void await scope.close(CLOSE_TIME));
  const service = await Service.start({
    loaded,
    read: () => loadFrom(source, parse),
    parse,
    keep: (good) => keep(good, source),
    busy: (reloading) => reloading ? systemd.reloading() : systemd.ready(),
    worker: () => threads.engine.take(),
    namesOf: discoveryOf,
    bind: (wanted) => inherited.take(wanted) ?? listenOn(wanted.address),
    formatOf,
    log,
    scope,
  });
  cleanup.defer(() => service.stop());
  return service;
}

/** For a start with --last-good. The built-in default is always there. */
async function keep({ texts, files, config }: Loaded, source: ConfigurationSource): Promise<void> {
  if (files.length > 0) await new LastGood(config.node.state, source.paths[0]).write(texts);
}

const placesOf = ({ listeners }: Configuration) =>
  Object.values(listeners).flatMap(({ name, addresses }) =>
    addresses.map((address) => ({ listener: name, address }))
  );

const lostMessage = (lines: number): Message => ({
  level: "warn",
  event: "log-lost",
  text: `${lines} lines of this log are lost: nobody took them`,
  fields: { lines },
});

/** Descriptors of a connection, and what the process needs besides. */
const PER_CONNECTION = 2, BESIDES = 100;

/** What an operator should know before the first connection. */
function descriptorWarnings({ limits }: Configuration): string[] {
  const descriptors = openFilesLimit(); // a compiled gate may not read /proc
  const enough = Math.floor((descriptors - BESIDES) / PER_CONNECTION);
  if (enough >= limits.connections) return [];
  return [
    `ulimit -n ${descriptors} is enough for about ${enough} of limits.connections ${limits.connections}`,
  ];
}
