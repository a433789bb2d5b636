/** `ugate explain`: what would happen to a connection, and why. It resolves and never dials. */
import { formatTarget } from "./address.ts";
import { type Asking, isTrusted } from "./asking.ts";
import { Decider } from "./decide.ts";
import { GateError } from "./errors.ts";
import { explain, type Explanation, type Resolve } from "./explanation.ts";
import { askedBy, type ExplainParts, imagine, namingAt, type World } from "./explain_asking.ts";
import { type Client, clientOf, type ExplainArgs } from "./explain_client.ts";
import { suppose, tellApart } from "./explain_supposed.ts";
import { renderKinds, type Seen } from "./explain_text.ts";
import { protocolsNaming, seeRequest } from "./explain_ways.ts";
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

/** What the gate says to who comes, and has asked for nothing yet. */
const LOGIN = "a login comes first, then policy judges each forward";

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
  const decider = new Decider(snapshot, parts.isOwnIp, parts.live);
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
  const { from, user, identity } = client;
  const about = { listener: rules.name, trusted, from, user, identity: identity?.name };
  const barred = world.decider.policy.barred(rules.name, from);
  if (barred !== undefined) return { ...about, barred, explanations: [] };
  if (client.bytes !== undefined) {
    return { ...about, ...await seeBytes(rules, trusted, client, client.bytes, world) };
  }
  if (client.request) {
    return { ...about, ...await seeRequest(client.request, { rules, trusted, client, world }) };
  }
  const explanations: Explanation[] = [];
  for (const protocol of speaking(rules, client, world)) {
    const asking = imagine(rules, trusted, client, protocol, world);
    explanations.push(await explainServed(asking, world));
  }
  return { ...about, explanations };
}

/** As explain; where the gate itself serves it, with who may come. Who logs in asks for something, and not before. */
async function explainServed(asking: Asking, { decider, resolve, served }: World): Promise<Explanation> {
  const words = served?.(asking.listener, asking.protocol);
  if (words && asking.target === undefined) {
    return { asking, steps: [], endpoints: [], served: words, answer: LOGIN };
  }
  const explanation = await explain(decider, asking, resolve);
  return words ? { ...explanation, served: words } : explanation;
}

/** The protocols for which it means something to ask for this: an SNI alone is TLS's. */
function speaking(rules: ListenerRules, client: Client, world: World): string[] {
  if (client.target === undefined) return protocolsNaming("serverName", rules, world.protocols);
  const naming = rules.protocols.filter((name) => namingAt(rules.name, name, world) !== "nothing");
  return naming.length > 0 ? naming : [...rules.protocols];
}

/** Sniffs the bytes, and lets the protocol that claims them say what it asks for. */
async function seeBytes(
  rules: ListenerRules,
  trusted: boolean,
  client: Client,
  bytes: Uint8Array,
  world: World,
): Promise<
  Pick<Seen, "verdicts" | "protocol" | "unknown" | "speaks" | "fallback" | "failure" | "explanations">
> {
  const { protocols, preface, decider } = world;
  const verdicts = rules.protocols.map((name) => ({
    protocol: name,
    verdict: protocols[name]?.sniff?.(bytes) ?? false,
  }));
  const plain = rules.protocols.length === 1 && protocols[rules.protocols[0]]?.sniff === undefined;
  const sniffed = plain
    ? { protocol: rules.protocols[0] }
    : sniffer(rules.protocols, protocols, preface, rules.fallback !== undefined)(bytes, "late");
  if (typeof sniffed === "number" || "unknown" in sniffed) {
    const unknown = typeof sniffed === "number" ? "partial" : sniffed.unknown;
    const speaks = typeof sniffed === "number" ? undefined : sniffed.speaks;
    const barred = unknown === "preface" ||
      decider.policy.barredRouted(rules.name, client.from) !== undefined;
    return { verdicts, unknown, speaks, fallback: barred ? undefined : rules.fallback, explanations: [] };
  }
  const name = sniffed.protocol;
  const asking = await askedBy(name, bytes, rules, trusted, client, world);
  if (asking instanceof GateError) {
    return { verdicts, protocol: name, failure: asking.message, explanations: [] };
  }
  return { verdicts, protocol: name, explanations: [await explainServed(asking, world)] };
}
