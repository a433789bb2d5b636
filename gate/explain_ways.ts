/** The ways that a request has into a listener: in clear, inside of TLS, and by way of the listener as a proxy. */
import type { Asking } from "./asking.ts";
import type { Naming, Protocols } from "./contracts.ts";
import { type Failure, GateError } from "./errors.ts";
import { askedBy, imagine, namingOf, type World } from "./explain_asking.ts";
import type { Client } from "./explain_client.ts";
import type { SupposedRequest } from "./explain_request.ts";
import type { Seen } from "./explain_text.ts";
import { explain, type Explanation } from "./explanation.ts";
import { sniffer } from "./sniff.ts";
import type { ListenerRules } from "./snapshot.ts";

/** Who sends it, and where it comes in. */
interface Entering {
  readonly rules: ListenerRules;
  readonly trusted: boolean;
  readonly client: Client;
  readonly world: World;
}

type Answers = Pick<Seen, "protocol" | "failure" | "explanations">;

/** What becomes of a request by each way that there is. */
export async function seeRequest(request: SupposedRequest, entering: Entering): Promise<Answers> {
  const direct = request.secure ? await throughTls(request, entering) : await inClear(request, entering);
  const proxied = await asToProxy(request, entering, direct.failure);
  return { ...direct, explanations: [...direct.explanations, ...proxied] };
}

/** In clear, or what came inside of TLS. */
async function inClear({ bytes, secure }: SupposedRequest, entering: Entering): Promise<Answers> {
  const { rules, trusted, client, world } = entering;
  const [protocol] = protocolsNaming("host", rules, world.protocols);
  if (protocol === undefined) return { explanations: [] };
  const asking = await askedBy(protocol, bytes, rules, trusted, client, world);
  if (asking instanceof GateError) return { protocol, failure: asking.message, explanations: [] };
  return { explanations: [await explain(world.decider, asking, world.resolve, secure)] };
}

async function throughTls(request: SupposedRequest, entering: Entering): Promise<Answers> {
  const { rules, trusted, client, world } = entering, explanations: Explanation[] = [];
  for (const protocol of protocolsNaming("serverName", rules, world.protocols)) {
    const asking = imagine(rules, trusted, client, protocol, world);
    const outer = await explain(world.decider, asking, world.resolve);
    explanations.push(outer.termination?.enters ? await within(outer, request, entering) : outer);
  }
  return { explanations };
}

/** What was unwrapped comes in again, without the trust of the listener's address. */
async function within(
  outer: Explanation,
  request: SupposedRequest,
  entering: Entering,
): Promise<Explanation> {
  const { failure, explanations: [inside] } = await inClear(request, { ...entering, trusted: false });
  if (failure !== undefined) return { ...outer, inside: refused(outer.asking, "malformed", failure) };
  const misdirected = inside &&
    entering.world.decider.misdirected(inside.asking, outer.asking.protocol);
  return misdirected
    ? { ...outer, inside: refused(inside.asking, misdirected.failure, misdirected.message) }
    : { ...outer, inside };
}

/**
 * None where the listener is no proxy: it takes such a request as any other, or knows nobody who speaks so. `told`: why
 * nobody reads the same request without a proxy.
 */
async function asToProxy(
  request: SupposedRequest,
  { rules, trusted, client, world }: Entering,
  told: string | undefined,
): Promise<Explanation[]> {
  const { bytes, line: toProxy } = request.toProxy(client.user);
  const sniffed = sniffer(
    rules.protocols,
    world.protocols,
    world.preface,
    rules.fallback !== undefined,
  )(bytes, "late");
  if (typeof sniffed === "number" || "unknown" in sniffed) return [];
  const { protocol } = sniffed;
  const asking = await askedBy(protocol, bytes, rules, trusted, client, world);
  if (asking instanceof GateError) {
    if (asking.message === told) return [];
    const about = imagine(rules, trusted, client, protocol, world);
    return [{ ...refused(about, asking.failure, asking.message), toProxy }];
  }
  if (asking.naming !== "target") return [];
  return [{ ...await explain(world.decider, asking, world.resolve), toProxy }];
}

const refused = (asking: Asking, failure: Failure, message: string): Explanation => ({
  ...{ asking, steps: [], endpoints: [] },
  refusal: { failure, message },
});

/** Those of the listener's protocols that name their destinations so. */
export const protocolsNaming = (naming: Naming, rules: ListenerRules, protocols: Protocols): string[] =>
  rules.protocols.filter((name) => namingOf(name, protocols) === naming);
