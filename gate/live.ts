/** A live connection as who operates the gate sees it. */
import type { Connection } from "./connection.ts";
import { peerText } from "./log_line.ts";
import type { LiveConnection } from "./operations.ts";

export function liveConnection(connection: Connection): LiveConnection {
  const { id, parent, listener, peer, record, route, isRelaying } = connection;
  const { up, down } = connection.moved;
  return {
    id,
    parent,
    listener,
    peer: peerText(peer),
    protocol: record.protocol,
    user: record.user || undefined,
    serverName: peer.serverName,
    target: record.target || undefined,
    endpoint: record.endpoint || undefined,
    route: route || undefined,
    up,
    down,
    began: connection.beganAt,
    stage: isRelaying ? "relaying" : record.protocol ? "serving" : "sniffing",
  };
}
