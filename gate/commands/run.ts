/** `ugate run`: everything is checked, then bound, then served, until a signal; then who is there may finish. */
import type { Configuration } from "../config/configuration.ts";
import type { Credentials } from "../config/credentials.ts";
import { LastGood } from "../config/last_good.ts";
import { ConfigurationError, type Loaded, loadFrom, type Parse } from "../config/load.ts";
import { Parser } from "../config/parser.ts";
import { recover } from "../config/recover.ts";
import { ConfigurationSource } from "../config/source.ts";
import { ConfigurationWatch } from "../config/watch.ts";
import { listenOn } from "../engine/bind.ts";
import { InheritedSockets } from "../engine/inherited.ts";
import { openFilesLimit } from "../engine/sys.ts";
import { causeChain } from "../errors.ts";
import type { Node } from "../identity/node_identity.ts";
import { Scope } from "../scope.ts";
import { Service } from "../service.ts";
import { Systemd } from "../systemd.ts";
import { banner } from "./banner.ts";
import { discoveryOf } from "./discovery.ts";
import { keyringOf } from "./keyring.ts";
import { RunLog } from "./run_log.ts";
import type { RunOptions } from "./run_options.ts";
import { Signals } from "./signals.ts";
import type { Threads } from "./start.ts";
import { Strays } from "./strays.ts";
import { Watchdog } from "./watchdog.ts";

const CLOSE_TIME = 2000;

/** Where this gate's configuration is, what reads it, who serves, and who is told. */
interface Means {
  readonly source: ConfigurationSource;
  readonly parse: Parse;
  readonly parser: Parser;
  readonly systemd: Systemd;
  readonly threads: Threads;
  readonly log: RunLog;
}

/** Serves until SIGINT or SIGTERM, or until engines break. The exit code. */
export async function run(options: RunOptions, threads: Threads): Promise<number> {
  await using log = new RunLog();
  try {
    const systemd = Systemd.fromEnvironment(Deno.env, (message) => log.warn(message));
    const source = new ConfigurationSource(options.config, Deno.env);
    using parser = new Parser(threads.parser);
    const parse: Parse = (texts) => parser.parse(texts);
    const loaded = await firstConfiguration(source, parse, options.lastGood);
    log.follow(() => loaded.config);
    for (const warning of loaded.warnings) log.warn(warning);
    return await serve(loaded, { source, parse, parser, systemd, threads, log }, options);
  } catch (thrown) {
    log.say("error", "life", causeChain(thrown));
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
  const { source, systemd, log } = means;
  await using cleanup = new AsyncDisposableStack();
  cleanup.use(new Strays((what, thrown) => log.fault(what, thrown)));
  const inherited = cleanup.use(new InheritedSockets(systemd.passed));
  const warnings = [...inherited.sortOut(placesOf(loaded.config)), ...descriptorWarnings(loaded.config)];
  let running: Service | undefined;
  const connections = () => running?.present ?? 0;
  const signals = cleanup.use(new Signals(() => void running?.reload(), { log, connections }));
  const service = running = await startService(loaded, means, inherited, cleanup);
  log.follow(() => service.config);
  for (const text of warnings) log.warn(text);
  if (watch) {
    const changed = () => void service.reload();
    cleanup.use(ConfigurationWatch.start(source, { changed, warn: (text) => log.warn(text) }));
  }
  if (systemd.watchdog !== undefined) {
    const watched = { healthy: () => service.healthy(), alive: () => systemd.alive() };
    cleanup.use(new Watchdog(systemd.watchdog, watched));
  }
  const { listening, config, adminAddresses: admin } = service;
  console.log(banner({ listening, config, admin, files: loaded.files }));
  systemd.ready(`serves ${listening.length} addresses`);
  const broken = await Promise.race([signals.ending, service.broken]);
  using _patience = systemd.stopping();
  // Who supervises us starts us again: better than a gate that accepts nobody.
  if (broken !== undefined) throw broken;
  await service.drain();
  return 0;
}

/** What it needs of this process; `cleanup` ends it. */
async function startService(
  loaded: Loaded,
  { source, parse, parser, systemd, threads, log }: Means,
  inherited: InheritedSockets,
  cleanup: AsyncDisposableStack,
): Promise<Service> {
  const scope = new Scope((name, thrown) => log.fault(name, thrown));
  cleanup.defer(async () => {
    const left = await scope.close(CLOSE_TIME);
    if (left.length > 0) log.warn(`not over in ${CLOSE_TIME / 1000} s, and left: ${left.join(", ")}`);
  });
  const service = await Service.start({
    loaded,
    read: () => loadFrom(source, parse),
    parse,
    isKnown: (texts) => source.isKnown(texts),
    keep: (good) => keep(good, loaded.config.node.state, source),
    busy: (reloading) => reloading ? systemd.reloading() : systemd.ready(),
    worker: () => threads.engine.take(),
    node: ({ config, credentials }) => nodeOf(config, credentials, parser),
    acmeWorker: () =>
      new Worker(new URL("../threads/acme.ts", import.meta.url), { type: "module", name: "acme" }),
    namesOf: discoveryOf,
    keyringOf,
    bind: (wanted) => inherited.take(wanted) ?? listenOn(wanted.address),
    formatOf: log.formatOf,
    print: async (reading, operations, { node }, { node: given }) => {
      const { print } = await import("./print.ts");
      const identity = () => parser.node({ state: node.state, domain: node.domain, given });
      return await print(reading, { operations, node, identity });
    },
    log: log.writer,
    scope,
  });
  cleanup.defer(() => service.stop());
  scope.spawn("identity", makeIdentity(loaded, parser, log));
  return service;
}

/** There from the first start on; nothing needs it before it is asked for, so a start does not wait for it. */
async function makeIdentity({ config, credentials }: Loaded, parser: Parser, log: RunLog): Promise<void> {
  try {
    await nodeOf(config, credentials, parser);
  } catch (thrown) {
    log.warn(causeChain(thrown));
  }
}

function nodeOf(
  { node: { state, domain } }: Configuration,
  { node }: Credentials,
  parser: Parser,
): Promise<Node> {
  return parser.node({ state, domain, given: node });
}

/** For a start with --last-good, in the `state` of this start. The built-in default is always there. */
async function keep({ texts, files }: Loaded, state: string, source: ConfigurationSource): Promise<void> {
  if (files.length > 0) await new LastGood(state, source.paths[0]).write(texts);
}

const placesOf = ({ listeners }: Configuration) =>
  Object.values(listeners).flatMap(({ name, addresses }) =>
    addresses.map((address) => ({ listener: name, address }))
  );

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
