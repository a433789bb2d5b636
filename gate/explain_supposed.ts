/** Who a client may be where the command line does not say it: one of each kind that the rules tell apart. */
import { type Cidr, formatIp, isUnixHost } from "./address.ts";
import type { Seen } from "./explain_text.ts";
import type { Explanation } from "./explanation.ts";
import { networks } from "./networks.ts";
import type { ListenerRules, Snapshot } from "./snapshot.ts";

/** Absent: of no network that a rule gives, or on a unix socket; nobody who has logged in. */
export interface Supposed {
  readonly from?: string;
  readonly user?: string;
}

export interface Suppositions {
  readonly clients: readonly Supposed[];
  /** Of what there are more kinds than these clients show. */
  readonly more: Seen["dependsOn"];
}

const MOST_NETWORKS = 32, MOST_USERS = 8;
const OTHER_USER = "another that no rule names";

/** `client` as far as it is given; `asks` tells whether its bytes say who it is. */
export function suppose(
  { routes, policy }: Snapshot,
  rules: ListenerRules,
  trusted: boolean,
  client: Supposed & { readonly bytes?: Uint8Array },
): Suppositions {
  const here = ({ listener = rules.name }: { readonly listener?: string | readonly string[] }) =>
    typeof listener === "string" ? listener === rules.name : listener.includes(rules.name);
  const more: ("--from" | "--user")[] = [];
  let sources = [client.from];
  if (client.from === undefined && trusted && !rules.addresses.every(isUnixHost)) sources = ["127.0.0.1"];
  else if (client.from === undefined && !trusted) {
    const given = new Set([...routes, ...policy].filter(here).flatMap(({ sources = [] }) => sources));
    if (given.size > MOST_NETWORKS) more.push("--from");
    const some = networks(Array.from(given).slice(0, MOST_NETWORKS), "the rules");
    sources = [undefined, ...new Set(some.flatMap(endsOf))];
  }
  let users = [client.user];
  if (client.user === undefined && rules.asksUser && client.bytes === undefined) {
    const named = new Set(policy.filter(here).flatMap(({ user = [] }) => user));
    if (named.size > MOST_USERS) more.push("--user");
    if (named.size > 0) users = [undefined, OTHER_USER, ...Array.from(named).slice(0, MOST_USERS)];
  }
  return { clients: sources.flatMap((from) => users.map((user) => ({ from, user }))), more };
}

/** One of those that fare the same; where there are several, with what it depends on. */
export function tellApart(seen: readonly Seen[], more: Suppositions["more"] = []): Seen[] {
  const outcomes = seen.map(outcomeOf);
  const decides = (key: "from" | "user") =>
    seen.some((one, i) => {
      const first = seen.findIndex((other) =>
        key === "from" ? other.user === one.user : other.from === one.from
      );
      return outcomes[first] !== outcomes[i];
    });
  const dependsOn = (["--from", "--user"] as const).filter((option) =>
    more.includes(option) || decides(option === "--from" ? "from" : "user")
  );
  const first = seen.filter((_, i) => outcomes.indexOf(outcomes[i]) === i);
  return dependsOn.length === 0 ? first : first.map((one) => ({ ...one, dependsOn }));
}

/** Its first and its last address: a network inside it may have one of them. */
function endsOf({ base, bits }: Cidr): string[] {
  const last = Uint8Array.from(base, (byte, i) => {
    const free = Math.min(8, Math.max(0, (i + 1) * 8 - bits));
    return byte | ((1 << free) - 1);
  });
  return [formatIp(base), formatIp(last)];
}

/** What becomes of the connection, without the words and places that tell why. */
function outcomeOf({ barred, unknown, fallback, failure, explanations }: Seen): string {
  const way = ({ asking, termination, endpoints, refusal, answer, inside }: Explanation): unknown[] => {
    return [asking.protocol, termination, endpoints, refusal?.failure, answer, inside && way(inside)];
  };
  const ways = explanations.map(way);
  return JSON.stringify([barred !== undefined, unknown, fallback, failure, ways]);
}
