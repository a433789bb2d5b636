/** A connection as who lists nodes sees it. */
import type { Connection } from "./connection.ts";
import { peerText } from "./log_line.ts";
import type { NodeStatus } from "./operations.ts";

/** What it offers, and what went there. */
export type Offering = Pick<NodeStatus, "names" | "streams" | "served" | "up" | "down" | "roundTrip">;

export function nodeStatus(connection: Connection, offering: Offering): NodeStatus {
  const { id, peer, listener, record: { protocol }, beganAt } = connection;
  return {
    ...{ id, listener, protocol, since: beganAt },
    ...offering,
    identity: peer.identity?.name ?? "",
    proof: peer.identity?.proof ?? "",
    peer: peerText(peer),
  };
}
