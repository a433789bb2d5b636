/** Handshakes between two connections of libssl in memory, without a loop. */
import { Connection, DONE } from "../../gate/engine/openssl.ts";
import type { Context } from "../../gate/engine/openssl_context.ts";

/** Carries what one has for the other. */
export function carry(from: Connection, to: Connection): void {
  const size = from.takeOutput(), bytes = from.output.slice(0, size);
  if (size > 0) to.feed(bytes, 0, size);
}

/** Both sides, connected: the client's first. */
export function shaken(client: Context, server: Context, name: string): [Connection, Connection] {
  const a = new Connection(client, { name, isIp: false }), b = new Connection(server);
  for (let flight = 0; flight < 4; flight++) {
    const [from, to] = flight % 2 === 0 ? [a, b] : [b, a];
    if (from.handshake() === DONE && flight === 3) {
      return [a, b];
    }
    carry(from, to);
  }
  throw new Error(`no handshake: ${a.error.text} ${b.error.text}`);
}
