/** Where a request comes from: the connection's peer, or whom trusted proxies tell of. */
import { formatIp, parseIp } from "../../gate/address.ts";
import type { Conn } from "../../gate/contracts.ts";
import type { Exchange } from "./exchange.ts";
import { KIND } from "./field_kinds.ts";
import { valueOf } from "./field_values.ts";
import type { MessageHead } from "./message_head.ts";

/** Behind so many proxies stands nobody: a list of 6000 would hold up all others for longer than a handshake does. */
const MOST_HOPS = 64;

/** What limits, throttles and logs count a request by: an IP literal, or "unix". */
export function clientAddress({ exchange, conn }: { exchange: Exchange; conn: Conn }): string {
  return exchange.client ?? conn.peer.address;
}

/**
 * The client as X-Forwarded-For tells it: the last address that is no trusted proxy's, for each proxy writes whom it saw
 * behind what it was told. undefined: the peer is none, and nobody believes what it says.
 */
export function toldClient(head: MessageHead, bytes: Uint8Array, conn: Conn): string | undefined {
  const { address } = conn.peer;
  if (!conn.believes(address)) return undefined;
  let client = address, hops = 0;
  for (let line = head.count - 1; line >= 0; line--) {
    if (head.kinds[line] !== KIND.forwardedFor) continue;
    const list = valueOf(head, bytes, line);
    for (let end = list.length, comma; end >= 0; end = comma) {
      if (hops++ === MOST_HOPS) return client;
      comma = end === 0 ? -1 : list.lastIndexOf(",", end - 1);
      const told = hopAddress(list.slice(comma + 1, end).trim());
      if (told === undefined) return client; // `unknown`, or nothing that anybody can be counted by
      client = told;
      if (!conn.believes(told)) return client;
    }
  }
  return client;
}

/** An address as proxies write it: IPv6 in brackets or without, with a port or without. */
function hopAddress(text: string): string | undefined {
  const [, quoted, quad] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? [];
  const ip = parseIp(quoted ?? quad ?? text);
  return ip && formatIp(ip);
}
