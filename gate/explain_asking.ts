/** What a made-up client asks the gate for: by its words, or by what a protocol reads in its bytes. */
import { cidrHas, type Ip, parseIp, type Target } from "./address.ts";
import type { Asking } from "./asking.ts";
import type { Naming, Peer, Protocol, Protocols } from "./contracts.ts";
import type { Decider } from "./decide.ts";
import { type AskedNames, dryRun } from "./dry_run.ts";
import type { GateError } from "./errors.ts";
import type { Client } from "./explain_client.ts";
import { FORWARDED_PROTO, type Resolve } from "./explanation.ts";
import type { LiveRoutes } from "./mesh/live_routes.ts";
import { networks } from "./networks.ts";
import type { ListenerRules, Snapshot } from "./snapshot.ts";

/** What an explanation needs to know of the program and the machine. */
export interface ExplainParts {
  readonly protocols: Protocols;
  /** What only a trusted source may begin with (PROXY). */
  readonly preface: Protocol;
  readonly resolve: Resolve;
  /** Whom a server name asks for, its forms decoded. */
  readonly serverNameTarget: (name: string) => Target;
  /** Whether an IP address is one of this machine's. */
  readonly isOwnIp: (ip: Ip) => boolean;
  /** Names that are registered now; absent: none. */
  readonly live?: LiveRoutes;
  /** What is told of a protocol that the gate itself serves there; undefined: it does not. */
  readonly served?: (listener: string, protocol: string) => readonly string[] | undefined;
}

/** The same, with what it is about. */
export interface World extends ExplainParts {
  readonly snapshot: Snapshot;
  readonly decider: Decider;
}

/** The same at a listener, where the gate itself may serve it. */
export const namingAt = (
  listener: string,
  name: string,
  { protocols, served }: Pick<World, "protocols" | "served">,
): Naming => (served?.(listener, name) && protocols[name].unrouted) ?? namingOf(name, protocols);

export const namingOf = (name: string, protocols: Protocols): Naming => protocols[name]?.naming ?? "nothing";

/** A client that speaks the protocol and names the target in its way. */
export function imagine(
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  protocol: string,
  { protocols, serverNameTarget, served }: World,
): Asking {
  const naming = namingAt(rules.name, protocol, { protocols, served });
  const { sni, from, user, identity } = client;
  const about = {
    listener: rules.name,
    trusted,
    protocol,
    naming,
    asksUser: rules.asksUser,
    source: from,
    user,
    identity,
  };
  if (naming === "nothing") return about;
  if (naming !== "serverName") return { ...about, target: client.target };
  const serverName = sni ?? client.target?.host;
  if (serverName === undefined) return about;
  const target = client.target
    ? { host: serverName, port: client.target.port }
    : serverNameTarget(serverName);
  return { ...about, serverName, target };
}

/** What a protocol asks for when it serves these bytes; or why it asks for nothing. */
export async function askedBy(
  name: string,
  bytes: Uint8Array,
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  world: World,
): Promise<Asking | GateError> {
  const { snapshot, protocols, decider } = world, { from, sni, user, identity } = client;
  const peer: Peer = { address: from ?? "unix", serverName: sni, user, identity, layers: [] };
  const believed = networks(rules.trustedProxies ?? [], `trustedProxies of ${rules.name}`);
  const run = await dryRun(name, protocols[name], {
    ...{ bytes, listener: rules.name, protocols: rules.protocols, asksUser: rules.asksUser },
    ...{ limits: snapshot.limits, peer },
    requests: decider.handles(rules.name) ? askedNames(snapshot) : undefined,
    believes: (address) => {
      const ip = parseIp(address);
      return ip !== undefined && believed.some((cidr) => cidrHas(cidr, ip));
    },
  });
  if ("failure" in run) return run.failure;
  const asking = imagine(rules, trusted, client, name, world);
  return {
    ...asking,
    ...run.named ? { naming: "target" as const } : {},
    target: run.target,
    request: run.request,
    serverName: run.peer.serverName,
    source: run.source ?? asking.source,
    user: run.peer.user,
  };
}

/** What routes ask of requests, and what tells how they were asked for. */
function askedNames({ routes }: Snapshot): AskedNames {
  const namesOf = (key: "headers" | "query") =>
    routes.flatMap((route) => (route[key] ?? []).map(({ name }) => name));
  return { headers: [...namesOf("headers"), FORWARDED_PROTO], query: namesOf("query") };
}
