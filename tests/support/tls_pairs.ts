/** Pairs of streams with TLS between them, over any pair of streams: a certificate of a made authority at one end. */
import type { Stream } from "../../gate/streams.ts";
import { clientContext, serverContext } from "../../gate/engine/openssl_context.ts";
import { acceptTls, connectTls, type Secured } from "../../protocols/tls/secure.ts";
import type { Pair } from "../conformance/stream.ts";
import { Authority } from "./certificates.ts";

export const NAME = "pair.example";
const authority = await Authority.make("pairs");
export const root = authority.root.chain;
export const keyPair = await authority.issue([NAME]);
/** Long for a machine under load, ms. */
export const PATIENCE = { timeout: 5000 };

export const server = serverContext({ keyPair, alpn: [], scope: "pairs" });
export const client = clientContext({ roots: { pem: root }, alpn: [] });

/** Both sides of a handshake, the client's first. */
export async function secured(
  [a, b]: readonly [Stream, Stream],
  contexts = { client, server },
): Promise<[Secured, Secured]> {
  return await Promise.all([
    connectTls(a, contexts.client, NAME, PATIENCE),
    acceptTls(b, contexts.server, PATIENCE),
  ]);
}

/** One more layer: TLS. */
export async function tlsOver(lower: () => Promise<Pair>): Promise<Pair> {
  const [outer, inner] = await secured(await lower());
  return [outer.stream, inner.stream];
}
