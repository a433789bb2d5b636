/** Sockets that a client asked for: who comes in there is carried to it, by a channel each. */
import { formatTarget, type Target } from "../../../gate/address.ts";
import type { Conn, Listening } from "../../../gate/contracts.ts";
import { asGateError, GateError } from "../../../gate/errors.ts";
import { peerText } from "../../../gate/log_line.ts";
import type { Channel } from "../channels/channel.ts";
import type { Connection } from "../channels/connection.ts";
import {
  type Bind,
  FORWARDED_STREAMLOCAL,
  FORWARDED_TCPIP,
  forwardedStreamlocal,
  forwardedTcpip,
} from "./messages.ts";
import type { Served } from "../served.ts";

/** `addresses` are literals, of which one at least is to be had. Throws GateError. */
export function listenOnPort(
  served: Served,
  connection: Connection,
  { bind, port }: { readonly bind: Bind; readonly port: number },
  addresses: readonly string[],
): Disposable {
  const listening: Listening[] = [];
  let failure: unknown;
  for (const host of addresses) {
    try {
      listening.push(served.gate.listen({ host, port }, served.conn, (conn) => {
        const from: Target = { host: conn.peer.address, port: conn.peer.port ?? 0 };
        carry(served, connection, conn, FORWARDED_TCPIP, forwardedTcpip(bind, port, from));
      }));
    } catch (thrown) {
      failure = thrown;
    }
  }
  if (listening.length === 0) throw failure;
  return { [Symbol.dispose]: () => listening.forEach((each) => each[Symbol.dispose]()) };
}

/** `lost` hears when policy permits it no more. Throws GateError. */
export function listenAtPath(
  served: Served,
  connection: Connection,
  bind: Bind,
  lost: (reason: GateError) => void,
): Disposable {
  const listening = served.gate.listen({ host: `unix:${bind.text}`, port: 0 }, served.conn, (conn) => {
    carry(served, connection, conn, FORWARDED_STREAMLOCAL, forwardedStreamlocal(bind));
  });
  listening.lost = lost;
  return listening;
}

/** Nothing of it moves before the client has taken the channel. */
function carry(
  { conn: { peer }, gate }: Served,
  connection: Connection,
  conn: Conn,
  type: string,
  data: Uint8Array,
): void {
  conn.record.endpoint = `${peerText(peer)} ssh`;
  let channel: Channel;
  try {
    channel = connection.open(type, data, {
      opened: () => relay(channel),
      refused: (reason) => conn.served(reason),
    });
  } catch (thrown) {
    return conn.served(asGateError(thrown));
  }
  const giveUp = (reason: GateError) => {
    channel.stream.abort(reason);
    conn.served(reason);
  };
  const relay = ({ stream }: Channel) => {
    conn.onAbort = undefined;
    try {
      gate.relay(conn, stream);
    } catch (thrown) {
      giveUp(asGateError(thrown));
    }
  };
  conn.onAbort = giveUp;
  conn.deadline(conn.limits.dialTimeout, () => {
    const where = formatTarget({ host: peer.address, port: peer.port ?? 0 });
    giveUp(new GateError("timeout", "upstream", `Cannot open a channel to ${where}: no answer in time`));
  });
}
