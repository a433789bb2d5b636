/** TLS that ends here: the server's side of the handshake, then the inner bytes go on, or come in again. */
import { createHash } from "node:crypto";
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Peer, Termination } from "../../gate/contracts.ts";
import { certificateIdentity } from "../../gate/identity/certificate_identity.ts";
import type { TlsFacts } from "./facts.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { GateError } from "../../gate/errors.ts";
import { beginAccepting } from "./secure.ts";

/** Who is refused is told by an alert while the handshake lasts; behind it there is an end and no more. */
export function terminate(
  conn: Conn,
  gate: Gate,
  target: Target | undefined,
  { context, tickets, inside }: Termination,
): void {
  const patience = { timeout: conn.limits.handshakeTimeout }; // who aborts the connection aborts its stream
  conn.deadline(0);
  beginAccepting(conn.stream, context, patience, tickets, (outcome) => {
    if (outcome instanceof GateError) return conn.served(outcome);
    conn.peer = { ...conn.peer, ...factsOfPeer(outcome.facts) };
    if (inside === "enter") gate.enter(outcome.stream, conn, {});
    else conn.stream = outcome.stream;
    if (inside === "connect") void connect(conn, gate, target);
    else conn.served();
  });
}

async function connect(conn: Conn, gate: Gate, target: Target | undefined): Promise<void> {
  promiseResolved();
  try {
    using upstream = await gate.connect(target, conn);
    gate.relay(conn, upstream);
  } catch (thrown) {
    conn.served(thrown);
  }
}

/** What is known of the client now. */
function factsOfPeer({ version, alpn, certificate }: TlsFacts): Partial<Peer> {
  if (!certificate) return { tlsVersion: version, alpn };
  const fingerprint = createHash("sha256").update(certificate.der).digest("hex");
  const identity = certificateIdentity(fingerprint, certificate.der);
  return { tlsVersion: version, alpn, clientCertificate: { fingerprint, ...certificate }, identity };
}
