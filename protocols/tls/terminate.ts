/** TLS that ends here: the server's side of the handshake, then the inner bytes go on, or come in again. */
import { createHash } from "node:crypto";
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Peer, Termination } from "../../gate/contracts.ts";
import type { TlsFacts } from "./facts.ts";
import { acceptTls } from "./secure.ts";

/** Who is refused is told by an alert while the handshake lasts; behind it there is an end and no more. */
export async function terminate(
  conn: Conn,
  gate: Gate,
  target: Target | undefined,
  { context, tickets, inside }: Termination,
): Promise<void> {
  const patience = { timeout: conn.limits.handshakeTimeout }; // who aborts the connection aborts its stream
  conn.deadline(0);
  const { stream, facts } = await acceptTls(conn.stream, context, patience, tickets);
  conn.peer = { ...conn.peer, ...factsOfPeer(facts) };
  if (inside === "enter") return gate.enter(stream, conn, {});
  conn.stream = stream;
  if (inside === "nothing") return; // and it ends
  using upstream = await gate.connect(target, conn);
  gate.relay(conn, upstream);
}

/** What is known of the client now. */
function factsOfPeer({ version, alpn, certificate }: TlsFacts): Partial<Peer> {
  if (!certificate) return { tlsVersion: version, alpn };
  const fingerprint = createHash("sha256").update(certificate.der).digest("hex");
  return { tlsVersion: version, alpn, clientCertificate: { fingerprint, ...certificate } };
}
