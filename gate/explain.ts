/** `ugate explain`: what would happen to a connection, and why. It resolves and never dials. */
import { formatTarget, type Ip } from "./address.ts";
import { type Asking, isTrusted } from "./asking.ts";
import type { Peer, Protocol, Protocols, Target } from "./contracts.ts";
import { Decider } from "./decide.ts";
import { dryRun } from "./dry_run.ts";
import { explain, type Explanation, type Resolve } from "./explanation.ts";
import { type Client, clientOf, type ExplainArgs } from "./explain_client.ts";
import { suppose, tellApart } from "./explain_supposed.ts";
import { renderKinds, type Seen } from "./explain_text.ts";
import { sniffer } from "./sniff.ts";
import type { ListenerRules, Snapshot } from "./snapshot.ts";

/**
 * What is printed: one of the two. `exit` is 0 where at some listener the connection would stand, whoever else the client
 * may be; 1 where it would not, or not for everyone; 2 for wrong usage.
 */
export interface Explained {
  readonly text: string;
  readonly json: unknown;
  readonly exit: number;
}

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
}

export async function explainCommand(
  snapshot: Snapshot,
  args: ExplainArgs,
  parts: ExplainParts,
): Promise<Explained> {
  const client = clientOf(args);
  if (typeof client === "string") return { text: client, json: { error: client }, exit: 2 };
  const listeners = Object.values(snapshot.listeners).filter(({ name }) => name === (args.listener ?? name));
  if (listeners.length === 0) {
    const error = `Cannot explain listener ${JSON.stringify(args.listener)}: no such listener`;
    return { text: error, json: { error }, exit: 2 };
  }
  const decider = new Decider(snapshot, parts.isOwnIp);
  const world = { ...parts, resolve: once(parts.resolve), snapshot, decider };
  const seen: Seen[][] = [];
  for (const rules of listeners) {
    for (const trusted of new Set(rules.addresses.map((address) => isTrusted(rules, address)))) {
      seen.push(await seeKinds(rules, trusted, client, world));
    }
  }
  const exit = seen.some((kinds) => kinds.every(stands)) ? 0 : 1;
  return { text: seen.map(renderKinds).join("\n"), json: seen.flat(), exit };
}

/** The same question to the same names is asked once. */
function once(resolve: Resolve): Resolve {
  const answers = new Map<string, ReturnType<Resolve>>();
  return (target) => {
    const key = formatTarget(target);
    const answer = answers.get(key) ?? resolve(target);
    answers.set(key, answer);
    return answer;
  };
}

function stands({ explanations, fallback }: Seen): boolean {
  return fallback !== undefined ||
    explanations.some(({ endpoints, termination }) => endpoints.length > 0 || termination?.enters);
}

interface World extends ExplainParts {
  readonly snapshot: Snapshot;
  readonly decider: Decider;
}

/** One listener's view of everyone whom the client may be, on addresses of one kind. */
async function seeKinds(
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  world: World,
): Promise<Seen[]> {
  const { clients, more } = suppose(world.snapshot, rules, trusted, client);
  const seen: Seen[] = [];
  for (const one of clients) seen.push(await see(rules, trusted, { ...client, ...one }, world));
  return tellApart(seen, more);
}

async function see(rules: ListenerRules, trusted: boolean, client: Client, world: World): Promise<Seen> {
  const { from, user } = client;
  const about = { listener: rules.name, trusted, from, user };
  const barred = world.decider.policy.barred(rules.name, from);
  if (barred !== undefined) return { ...about, barred, explanations: [] };
  if (client.bytes !== undefined) {
    return { ...about, ...await seeBytes(rules, trusted, client, client.bytes, world) };
  }
  const explanations: Explanation[] = [];
  for (const protocol of speaking(rules, client, world.protocols)) {
    explanations.push(
      await explain(world.decider, imagine(rules, trusted, client, protocol, world), world.resolve),
    );
  }
  return { ...about, explanations };
}

/** The protocols for which it means something to ask for this: an SNI alone is TLS's. */
function speaking(rules: ListenerRules, client: Client, protocols: Protocols): string[] {
  const naming = (name: string) => protocols[name]?.naming ?? "nothing";
  if (client.target === undefined) return rules.protocols.filter((name) => naming(name) === "serverName");
  const named = rules.protocols.filter((name) => naming(name) !== "nothing");
  return named.length > 0 ? named : [...rules.protocols];
}

/** A client that speaks the protocol and names the target in its way. */
function imagine(
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  protocol: string,
  { protocols, serverNameTarget }: World,
): Asking {
  const naming = protocols[protocol]?.naming ?? "nothing";
  const { sni, from, user } = client;
  const about = {
    listener: rules.name,
    trusted,
    protocol,
    naming,
    asksUser: rules.asksUser,
    source: from,
    user,
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

/** Sniffs the bytes, and lets the protocol that claims them say what it asks for. */
async function seeBytes(
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  bytes: Uint8Array,
  world: World,
): Promise<Pick<Seen, "verdicts" | "protocol" | "unknown" | "fallback" | "failure" | "explanations">> {
  const { snapshot, protocols, preface, decider, resolve } = world;
  const verdicts = rules.protocols.map((name) => ({
    protocol: name,
    verdict: protocols[name]?.sniff?.(bytes) ?? false,
  }));
  const plain = rules.protocols.length === 1 && protocols[rules.protocols[0]]?.sniff === undefined;
  const sniffed = plain
    ? { protocol: rules.protocols[0] }
    : sniffer(rules.protocols, protocols, preface)(bytes, "late");
  if (typeof sniffed === "number" || "unknown" in sniffed) {
    const unknown = typeof sniffed === "number" ? "partial" : sniffed.unknown;
    const barred = unknown === "preface" ||
      decider.policy.barredRouted(rules.name, client.from) !== undefined;
    return { verdicts, unknown, fallback: barred ? undefined : rules.fallback, explanations: [] };
  }
  const name = sniffed.protocol;
  const peer: Peer = {
    address: client.from ?? "unix",
    serverName: client.sni,
    user: client.user,
    layers: [],
  };
  const about = { bytes, listener: rules.name, asksUser: rules.asksUser, limits: snapshot.limits, peer };
  const run = await dryRun(name, protocols[name], about);
  if ("failure" in run) return { verdicts, protocol: name, failure: run.failure.message, explanations: [] };
  const asking = {
    ...imagine(rules, trusted, client, name, world),
    target: run.target,
    serverName: run.peer.serverName,
    user: run.peer.user,
  };
  return { verdicts, protocol: name, explanations: [await explain(decider, asking, resolve)] };
}
