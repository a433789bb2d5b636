/** Where a request comes from: the connection's peer, or whom trusted proxies tell of. */
import { formatIp, parseIp } from "../../gate/address.ts";
import type { Conn } from "../../gate/contracts.ts";
import type { Exchange } from "./exchange.ts";
import { KIND } from "./field_kinds.ts";
import { valueOf } from "./field_values.ts";
import type { MessageHead } from "./message_head.ts";

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
  let client = address;
  for (let line = head.count - 1; line >= 0; line--) {
    if (head.kinds[line] !== KIND.forwardedFor) continue;
    const hops = valueOf(head, bytes, line).split(",");
    for (const hop of hops.reverse()) {
      const told = hopAddress(hop.trim());
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
