/** TLS as a layer: what lies inside it is asked for the destination. */
import { createHash } from "node:crypto";
import type { Endpoint, Wrapping } from "../../gate/contracts.ts";
import { clientContext, type Context } from "../../gate/engine/openssl_context.ts";
import { GateError } from "../../gate/errors.ts";
import { certificateIdentity } from "../../gate/identity/certificate_identity.ts";
import type { Stream } from "../../gate/streams.ts";
import { connectTls } from "./secure.ts";

/** For the handshake, ms; the whole way has its own time. */
const HANDSHAKE_TIME = 10_000;

/** Of this thread: they hold what the system believes, and are kept for good. */
const contexts = new Map<"system" | "any", Context>();

/**
 * Who answers has to be `identity`, or to have a certificate of the host's name that the system believes. Where SSH lies
 * inside, that proves who is there, and TLS is around it for the way alone.
 */
export async function wrap(
  { address, layers, identity }: Endpoint,
  lower: () => Promise<Stream>,
  { signal }: Pick<Wrapping, "signal">,
): Promise<Stream> {
  const pinned = layers.includes("ssh") ? undefined : identity;
  const context = contextOf(layers.includes("ssh") || pinned !== undefined ? "any" : "system");
  const { stream, facts } = await connectTls(await lower(), context, address.host, {
    timeout: HANDSHAKE_TIME,
    signal,
  });
  if (pinned === undefined) return stream;
  const met = namesIn(facts.certificate?.der);
  if (met.includes(pinned)) return stream;
  const state = `it has to be ${pinned}, and shows ${met.join(", ") || "no certificate"}`;
  const reason = new GateError("refused", "upstream", `Cannot believe ${address.host}: ${state}`);
  stream.abort(reason);
  throw reason;
}

/** Its key is proven by the handshake; what else a certificate says, nobody vouches for here. */
function namesIn(der: Uint8Array | undefined): readonly string[] {
  if (!der) return [];
  const fingerprint = createHash("sha256").update(der).digest("hex");
  return certificateIdentity(fingerprint, der)?.names.filter((name) => name.startsWith("key:")) ?? [];
}

function contextOf(roots: "system" | "any"): Context {
  const known = contexts.get(roots) ?? clientContext({ roots, alpn: [] });
  contexts.set(roots, known);
  return known;
}
