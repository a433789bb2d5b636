/** By what right a connection is there. A reload may take it away: then the connection is closed. */
import { type Asking, askingOf } from "./asking.ts";
import type { Connection } from "./connection.ts";
import type { Endpoint } from "./contracts.ts";
import type { Decider, Plan } from "./decide.ts";
import { GateError } from "./errors.ts";
import { lostProof } from "./proven.ts";
import { lostVouching } from "./vouching.ts";

/** What policy permitted to who named a target, or gave an SNI without a route. */
export interface Right {
  /** As of the last judgement: a reload may take away the trust of where it came in. */
  asking: Asking;
  readonly plan: Plan;
  /** The name that a search domain made of it. */
  completed?: string;
  /** What was dialed; absent while nothing stands. */
  endpoint?: Endpoint;
}

/** Why this connection may not go on under what holds now; undefined: it may. */
export function lostRight(connection: Connection, decider: Decider): GateError | undefined {
  const { outer, branch } = connection.entrance;
  if (branch === "channel") { // whose user may have another role now
    connection.peer = { ...connection.peer, identity: outer!.peer.identity };
  }
  const { peer, listener, right, client } = connection;
  const unproven = lostUser(connection) ?? lostVouching(connection) ?? lostProof(connection, decider);
  if (unproven) return unproven;
  const other = connection.recheck && (connection.recheck() ?? lostIdentity(connection, decider));
  if (other) return other;
  if (right && connection.asksUser && peer.user === undefined) {
    return lost("its listener asks for users now");
  }
  if (right) {
    const { naming, target, source } = right.asking; // the source may be one that a trusted proxy told of
    right.asking = { ...askingOf(connection, naming, connection.trusted, target), source };
  }
  const source = peer.address === "unix" ? undefined : peer.address;
  const by = right
    ? decider.refuses(right) ??
      (right.asking.source === source ? undefined : decider.policy.barred(listener, source))
    : connection.route
    ? decider.policy.barredRouted(listener, source) ??
      (client === undefined ? undefined : decider.policy.barredRouted(listener, client))
    : decider.policy.barred(listener, source);
  const byLive = by ?? barOfLive(connection, decider);
  return byLive === undefined ? undefined : lost(`policy refuses it now, by ${byLive}`);
}

/** What forbids now the name that its route is of. */
function barOfLive({ live }: Connection, decider: Decider): string | undefined {
  return live && decider.forbidsLive(live.asking, live.route);
}

/** Why nobody is logged in any more who was; undefined: somebody is, or nobody was. */
export function lostUser(connection: Connection): GateError | undefined {
  const { userDigest } = connection;
  if (userDigest === undefined || digestOf(connection.rules.users, connection.peer.user) === userDigest) {
    return undefined;
  }
  return lost("its user, or the password it gave, was taken away");
}

/** Why somebody may be here no more, whatever he asks for; undefined: he may. */
export function lostIdentity(connection: Connection, { policy }: Decider): GateError | undefined {
  if (!connection.peer.identity) return undefined;
  const asking = askingOf(connection, "target", false);
  const by = policy.refusesIdentity(asking);
  return by === undefined ? undefined : lost(`policy refuses ${connection.peer.identity.name}, by ${by}`);
}

/** The digest of a user's password; undefined: there is no such user. */
export function digestOf(
  users: Readonly<Record<string, string>> | undefined,
  user: string | undefined,
): string | undefined {
  return users && user !== undefined && Object.hasOwn(users, user) ? users[user] : undefined;
}

const lost = (why: string) => new GateError("denied", "gate", `Cannot go on: ${why}`);
