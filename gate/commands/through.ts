/** What `nc` and `forward` are made of: a gate for one user, without a page, which carries everything to another gate. */
import type { Target } from "../address.ts";
import type { Configuration, ListenerConfiguration, RouteConfiguration } from "../config/configuration.ts";
import { type Loaded, loadFrom, type Parse } from "../config/load.ts";
import { Parser } from "../config/parser.ts";
import { ConfigurationSource } from "../config/source.ts";
import type { Through } from "../contracts.ts";
import { listenOn } from "../engine/bind.ts";
import { GateError } from "../errors.ts";
import { HeadStart } from "../head_start.ts";
import type { LogWriter } from "../log_writer.ts";
import { Scope } from "../scope.ts";
import { Service } from "../service.ts";
import { discoveryOf } from "./discovery.ts";
import { keyringOf } from "./keyring.ts";
import type { Via } from "./via.ts";

/** Where to, and as whom. */
export interface ThroughOptions {
  readonly via: Via;
  /** Its `ssh`, `node`, `dns`, `hosts` and limits hold here, too. */
  readonly config?: string;
  /** Whom the other gate has to be. */
  readonly identity?: string;
  /** In place of `ssh.identities`: files, or agent. */
  readonly key?: readonly string[];
  /** In place of `ssh.knownHosts`. */
  readonly knownHosts?: readonly string[];
  /** In TLS. */
  readonly tls?: boolean;
}

/** Where connections come in, and where they go; without `to` it is a proxy. */
export interface Entrance {
  readonly name: string;
  readonly address: Target;
  readonly to?: Target;
}

/** A session of somebody's may rest over a weekend, ms. */
const IDLE_TIME = 7 * 24 * 3_600_000;
const CLOSE_TIME = 2000;
/** Whom OpenSSH's client believes, beside the user's own file. */
const SYSTEM_HOSTS = "/etc/ssh/ssh_known_hosts";

/** Serves until `cleanup` ends it. Throws ConfigurationError, GateError. */
export async function startThrough(
  options: ThroughOptions,
  entrances: readonly Entrance[],
  log: LogWriter,
  cleanup: AsyncDisposableStack,
): Promise<Service> {
  if (Deno.build.os !== "linux") {
    throw new GateError("unsupported", "gate", `Cannot run on ${Deno.build.os}: the engine needs Linux`);
  }
  const engine = cleanup.use(new HeadStart(new URL("../threads/engine.ts", import.meta.url), "engine"));
  const parsing = cleanup.use(new HeadStart(new URL("../threads/parser.ts", import.meta.url), "parser"));
  const parser = cleanup.use(new Parser(parsing));
  const loaded = await configurationOf(options, entrances, (texts) => parser.parse(texts));
  const scope = new Scope();
  cleanup.defer(async () => void await scope.close(CLOSE_TIME));
  const service = await Service.start({
    loaded,
    read: () => Promise.resolve(loaded),
    parse: () => Promise.resolve(loaded),
    isKnown: () => Promise.resolve(true),
    keep: () => Promise.resolve(),
    busy: () => {},
    worker: () => engine.take(),
    acmeWorker: () => {
      throw new GateError("internal", "gate", "Cannot order certificates: this gate has no names");
    },
    namesOf: discoveryOf,
    keyringOf,
    node: ({ config: { node: { state, domain } }, credentials: { node: given } }) =>
      parser.node({ state, domain, given }),
    print: () => Promise.reject(new GateError("internal", "gate", "Cannot print: nobody asks here")),
    bind: ({ address }) => listenOn(address),
    formatOf: () => "json",
    log,
    scope,
  });
  cleanup.defer(() => service.stop());
  return service;
}

/** The configuration of this machine, as far as it is about how others are reached. */
async function configurationOf(
  options: ThroughOptions,
  entrances: readonly Entrance[],
  parse: Parse,
): Promise<Loaded> {
  const base = await loadFrom(new ConfigurationSource(options.config, Deno.env), parse);
  const keys = await keysOf(options, base, parse), { node, limits, hosts, dns, discovery } = base.config;
  const config: Configuration = {
    ...{ node, hosts, dns, discovery, ssh: keys.config.ssh },
    listeners: Object.fromEntries(entrances.map((entrance) => [entrance.name, listenerOf(entrance)])),
    routes: entrances.flatMap(routeOf),
    ...{ certificates: [], issuers: [], policy: [], admin: {}, engine: { threads: 1 } },
    limits: { ...limits, reserve: {}, idleTimeout: IDLE_TIME },
    log: { level: "info", format: "json" },
    through: throughOf(options, base.config),
  };
  const { node: given } = base.credentials, { ssh } = keys.credentials;
  const credentials = { keyPairs: [], roots: {}, upstreams: {}, ssh, node: given };
  return { ...base, config, credentials, warnings: keys.warnings };
}

/** What the options name, else the configuration, else what people have at hand: their agent, and their known hosts. */
async function keysOf({ key, knownHosts }: ThroughOptions, base: Loaded, parse: Parse): Promise<Loaded> {
  const { ssh } = base.config, file = `${Deno.cwd()}/(options)`;
  const identities = key ??
    (base.files.length === 0 && Deno.env.get("SSH_AUTH_SOCK") ? ["agent"] : undefined);
  const known = knownHosts ?? (ssh.knownHosts ? undefined : await usualHosts());
  if (!identities && !known) return base;
  const text = { identities, knownHosts: known };
  const read = await parse([{ file, text: JSON.stringify({ ssh: text }) }]);
  const { ssh: files } = read.credentials, before = base.credentials.ssh;
  const merged = {
    ...identities ? { identities: files?.identities } : before && { identities: before.identities },
    knownHosts: (known ? files?.knownHosts : before?.knownHosts) ?? [],
  };
  return { ...read, credentials: { ...read.credentials, ssh: merged } };
}

/** undefined: there are none. */
async function usualHosts(): Promise<readonly string[] | undefined> {
  const own = Deno.env.get("HOME"), files = [...own ? [`${own}/.ssh/known_hosts`] : [], SYSTEM_HOSTS];
  const there = await Promise.all(files.map((file) => Deno.stat(file).then(() => true, () => false)));
  const found = files.filter((_, i) => there[i]);
  return found.length > 0 ? found : undefined;
}

/** A gate that `hosts` has as `via` is meant as it stands there. */
function throughOf({ via, identity, tls }: ThroughOptions, { hosts }: Configuration): Through {
  const { target, user } = via;
  const known = Object.values(hosts).find((host) =>
    host.via?.host === target.host && host.via.port === target.port && host.layers.at(-1) === "ssh"
  );
  return {
    via: target,
    layers: tls ? ["tls", "ssh"] : known?.layers ?? ["ssh"],
    identity: identity ?? known?.identity,
    user: user ?? known?.user,
  };
}

function listenerOf({ name, address, to }: Entrance): ListenerConfiguration {
  return {
    ...{ name, addresses: [address], places: [name], limits: {}, proxyProtocol: [] },
    protocols: to ? ["tcp"] : ["socks", "connect"],
    sniffTimeout: IDLE_TIME,
  };
}

const routeOf = ({ name, to }: Entrance): RouteConfiguration[] =>
  to ? [{ place: name, listener: name, protocol: "tcp", to: [{ target: to, weight: 1 }] }] : [];
