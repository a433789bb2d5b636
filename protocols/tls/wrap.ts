/** TLS as a layer: what lies inside it is asked for the destination. */
import { createHash } from "node:crypto";
import type { Endpoint, Wrapping } from "../../gate/contracts.ts";
import { clientContext, type ClientSettings, type Context } from "../../gate/engine/openssl_context.ts";
import { GateError } from "../../gate/errors.ts";
import { certificateIdentity } from "../../gate/identity/certificate_identity.ts";
import type { Stream } from "../../gate/streams.ts";
import { connectTls } from "./secure.ts";

/** For the handshake, ms; the whole way has its own time. */
const HANDSHAKE_TIME = 10_000;
/** A kind of name that an authority has to vouch for, whatever key it is with. */
const SPIFFE = "spiffe:", KEY = "key:";

/** Of this thread: they hold what the system believes, and are kept for good. */
const contexts = new Map<"system" | "any", Context>();
/** By the roots that hold now: others are freed, and what stands keeps what it needs of them. */
let vouched: { readonly pem: string; readonly context: Context } | undefined;

/**
 * Who answers has to be `identity`, or to have a certificate of the host's name that the system believes. A key is proven
 * by the handshake; a SPIFFE ID by who vouches for nodes (`roots`, else the system), and then any name will do. Where SSH
 * lies inside, that proves who is there, and TLS is around it for the way alone.
 */
export async function wrap(
  { address, layers, identity }: Endpoint,
  lower: () => Promise<Stream>,
  { signal, roots }: Pick<Wrapping, "signal" | "roots">,
): Promise<Stream> {
  const pinned = layers.includes("ssh") ? undefined : identity,
    isSpiffe = pinned?.startsWith(SPIFFE) ?? false;
  const believed = isSpiffe
    ? roots === undefined ? "system" : { pem: roots }
    : layers.includes("ssh") || pinned !== undefined
    ? "any"
    : "system";
  const { stream, facts } = await connectTls(await lower(), contextOf(believed), address.host, {
    timeout: HANDSHAKE_TIME,
    signal,
    unverified: isSpiffe,
  });
  if (pinned === undefined) return stream;
  const met = namesIn(facts.certificate?.der, isSpiffe ? SPIFFE : KEY);
  if (met.includes(pinned)) return stream;
  const state = `it has to be ${pinned}, and shows ${met.join(", ") || "no such name"}`;
  const reason = new GateError("refused", "upstream", `Cannot believe ${address.host}: ${state}`);
  stream.abort(reason);
  throw reason;
}

/** Of the kind that was proven. */
function namesIn(der: Uint8Array | undefined, kind: string): readonly string[] {
  if (!der) return [];
  const fingerprint = createHash("sha256").update(der).digest("hex");
  return certificateIdentity(fingerprint, der)?.names.filter((name) => name.startsWith(kind)) ?? [];
}

function contextOf(roots: ClientSettings["roots"]): Context {
  if (typeof roots !== "string") return contextOfPem(roots.pem);
  const known = contexts.get(roots) ?? clientContext({ roots, alpn: [] });
  contexts.set(roots, known);
  return known;
}

function contextOfPem(pem: string): Context {
  if (vouched?.pem === pem) return vouched.context;
  const context = clientContext({ roots: { pem }, alpn: [] });
  vouched?.context[Symbol.dispose]();
  vouched = { pem, context };
  return context;
}
