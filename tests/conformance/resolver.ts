/** What every source of discovery has to keep: the suite of the contract Resolver. */
import { canonicalHost, hostMatches, isUnixHost, type Target } from "../../gate/address.ts";
import type { Destination, Resolver } from "../../gate/contracts.ts";
import { GateError } from "../../gate/errors.ts";
import { equal, ok } from "../support/assert.ts";

/** A resolver and what the suite may expect of it; the targets are three different names. */
export interface ResolverUnderTest extends AsyncDisposable {
  readonly resolver: Resolver;
  readonly known: Target;
  readonly unknown: Target;
  /** A name of its own that it cannot find now. */
  readonly broken?: Target;
  /** Makes `known` live elsewhere, or seem so: has to be reported. */
  change?(): Promise<void>;
}

const NEVER = new AbortController().signal;
const NO_NAMES = [
  "",
  ".",
  "..",
  "a..b",
  " ",
  "a b",
  "\0",
  "é\ud800",
  "-".repeat(64),
  "a.".repeat(200),
  "%2e",
  "[::1]",
];
const HORDE = 200;

/** Registers the suite's tests; `make` is called once for each. `also` names what it gives beyond the targets. */
export function conformResolver(
  name: string,
  make: () => Promise<ResolverUnderTest>,
  also: readonly ("broken" | "change")[] = [],
): void {
  const holds = (what: string, act: (made: ResolverUnderTest) => Promise<void>) =>
    Deno.test(`resolver ${name}: ${what}`, async () => {
      await using made = await make();
      await act(made);
    });

  holds("a known name has places one can dial", async ({ resolver, known }) => {
    const found = await resolver.resolve(known, NEVER);
    ok(found, "nothing was found");
    checkDestination(found, known);
    equal(structuredClone(found), found, "the answer is no plain data");
  });

  holds("an unknown name is undefined and no error", async ({ resolver, unknown }) => {
    equal(await resolver.resolve(unknown, NEVER), undefined);
    equal(await resolver.resolve(unknown, NEVER), undefined);
  });

  if (also.includes("broken")) {
    holds("a name of its own that it cannot find is an error and never undefined", async (made) => {
      ok(made.broken, "no broken name to ask for");
      await rejectsWithGateError(made.resolver.resolve(made.broken, NEVER));
      await rejectsWithGateError(made.resolver.resolve(made.broken, NEVER));
    });
  }

  holds("what is no name is nobody's, or refused with a GateError", async ({ resolver }) => {
    for (const host of NO_NAMES) {
      try {
        equal(await resolver.resolve({ host, port: 80 }, NEVER), undefined, JSON.stringify(host));
      } catch (thrown) {
        ok(thrown instanceof GateError, `${JSON.stringify(host)} threw ${thrown}`);
      }
    }
  });

  holds("all who ask at once get the same answer", async ({ resolver, known }) => {
    const answers = await Promise.all(Array.from({ length: HORDE }, () => resolver.resolve(known, NEVER)));
    for (const answer of answers) equal(answer?.endpoints, answers[0]?.endpoints);
  });

  holds("one who gives up hears why and takes nobody along", async ({ resolver, known }) => {
    const hasty = new AbortController();
    const given = resolver.resolve(known, hasty.signal);
    const patient = resolver.resolve(known, NEVER);
    hasty.abort(new GateError("reset", "client", "Cannot wait: the client is gone"));
    const outcome = await given.then((found) => found?.target, (thrown: unknown) => thrown);
    if (outcome instanceof GateError) equal(outcome.failure, "reset");
    else equal(outcome, known); // it knew at once
    ok(await patient);
  });

  holds("the same question has the same places again", async ({ resolver, known }) => {
    const first = await resolver.resolve(known, NEVER);
    const again = await resolver.resolve(known, NEVER);
    equal(again?.endpoints, first?.endpoints);
    equal(again?.source, first?.source);
  });

  if (also.includes("change")) {
    holds("a change is reported under the name it changes", async (made) => {
      const { resolver, known } = made;
      const heard: string[] = [];
      resolver.onChange?.((names) => heard.push(...names));
      ok(await resolver.resolve(known, NEVER));
      await made.change?.();
      ok(heard.some((pattern) => hostMatches(pattern, known.host)), `${known.host} is not in [${heard}]`);
      await resolver.resolve(known, NEVER).catch(() => undefined);
    });
  }
}

/** Every field is there and in the form the contract says. */
export function checkDestination(found: Destination, asked: Target): void {
  equal(found.target, asked);
  ok(found.source !== "");
  ok(Number.isFinite(found.lifetime) && found.lifetime > 0, `lifetime ${found.lifetime}`);
  ok(found.endpoints.length > 0, "no endpoints");
  for (const { address, via, layers, weight } of found.endpoints) {
    equal(canonicalHost(address.host), address.host);
    ok(isUnixHost(address.host) || (address.port > 0 && address.port < 65536), `port ${address.port}`);
    ok(via === undefined || canonicalHost(via.host) === via.host);
    ok(Array.isArray(layers));
    ok(weight === undefined || weight > 0);
  }
}

async function rejectsWithGateError(promise: Promise<unknown>): Promise<void> {
  const thrown = await promise.then(() => undefined, (thrown: unknown) => thrown);
  ok(thrown instanceof GateError, `expected a GateError, got ${thrown}`);
}
