/** `ugate explain`: what would happen to a connection, and why. It resolves and never dials. */
import { formatTarget, type Ip } from "./address.ts";
import { type Asking, isTrusted } from "./asking.ts";
import type { Naming, Peer, Protocol, Protocols, Target } from "./contracts.ts";
import { Decider } from "./decide.ts";
import { type AskedNames, dryRun } from "./dry_run.ts";
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
  return fallback !== undefined || explanations.some(isServed);
}

function isServed({ endpoints, termination, answer, inside }: Explanation): boolean {
  if (inside) return isServed(inside);
  return endpoints.length > 0 || answer !== undefined || termination?.enters === true;
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
    const outer = await explain(
      world.decider,
      imagine(rules, trusted, client, protocol, world),
      world.resolve,
    );
    explanations.push(outer.termination?.enters ? await within(outer, rules, client, world) : outer);
  }
  return { ...about, explanations };
}

/** What was unwrapped comes in again, without the trust of the listener's address. */
async function within(
  outer: Explanation,
  rules: ListenerRules,
  client: Client,
  world: World,
): Promise<Explanation> {
  const protocol = client.request && named(rules, "host", world.protocols)[0];
  if (protocol === undefined) return outer;
  const asking = imagine(rules, false, client, protocol, world);
  const misdirected = world.decider.misdirected(asking, outer.asking.protocol);
  if (!misdirected) return { ...outer, inside: await explain(world.decider, asking, world.resolve, true) };
  const { failure, message } = misdirected;
  return { ...outer, inside: { asking, steps: [], endpoints: [], refusal: { failure, message } } };
}

/** The protocols for which it means something to ask for this: an SNI alone is TLS's. */
function speaking(rules: ListenerRules, client: Client, protocols: Protocols): string[] {
  if (client.request) return named(rules, client.request.secure ? "serverName" : "host", protocols);
  if (client.target === undefined) return named(rules, "serverName", protocols);
  const naming = rules.protocols.filter((name) => namingOf(name, protocols) !== "nothing");
  return naming.length > 0 ? naming : [...rules.protocols];
}

const namingOf = (name: string, protocols: Protocols): Naming => protocols[name]?.naming ?? "nothing";

const named = (rules: ListenerRules, naming: Naming, protocols: Protocols): string[] =>
  rules.protocols.filter((name) => namingOf(name, protocols) === naming);

/** A client that speaks the protocol and names the target in its way. */
function imagine(
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  protocol: string,
  { protocols, serverNameTarget }: World,
): Asking {
  const naming = namingOf(protocol, protocols);
  const { sni, from, user, request } = client;
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
  if (naming === "host" && request) return { ...about, target: request.target, request };
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
  const requests = decider.router.handles(rules.name) ? askedNames(snapshot) : undefined;
  const about = {
    ...{ bytes, listener: rules.name, protocols: rules.protocols, asksUser: rules.asksUser },
    ...{ limits: snapshot.limits, peer, requests },
  };
  const run = await dryRun(name, protocols[name], about);
  if ("failure" in run) return { verdicts, protocol: name, failure: run.failure.message, explanations: [] };
  const asking = {
    ...imagine(rules, trusted, client, name, world),
    ...run.named ? { naming: "target" as const } : {},
    target: run.target,
    request: run.request,
    serverName: run.peer.serverName,
    user: run.peer.user,
  };
  return { verdicts, protocol: name, explanations: [await explain(decider, asking, resolve)] };
}

/** What routes ask of requests. */
function askedNames({ routes }: Snapshot): AskedNames {
  const namesOf = (key: "headers" | "query") =>
    routes.flatMap((route) => (route[key] ?? []).map(({ name }) => name));
  return { headers: namesOf("headers"), query: namesOf("query") };
}
