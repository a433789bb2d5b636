import type { Conn, Gate } from "../../gate/contracts.ts";

/**
 * Serves what is only told apart here: the route alone decides, and the bytes go on as they came. There are no words
 * to refuse in, so a failed dial ends the connection.
 */
export async function passOn(conn: Conn, gate: Gate): Promise<void> {
  conn.deadline(0);
  using upstream = await gate.connect(undefined, conn);
  gate.relay(conn, upstream);
}
