/** Who a client certificate proves somebody to be, which the roots of its listener vouch for: its key, its SPIFFE ID. */
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { type Identity, keyName, readSpiffeId } from "./identity.ts";
import { nodeIdOf } from "./node_id.ts";
import { nodeKeyOf } from "./public_key.ts";
import { uriNames } from "./uri_names.ts";

/** By the fingerprint of the certificate: the same clients come again and again, and to read one takes 0.05 ms. */
const known = new Map<string, Identity | undefined>();
const MOST_KNOWN = 1024;

/** undefined: its key is of a kind that nobody can name, and it has no SPIFFE ID. */
export function certificateIdentity(fingerprint: string, der: Uint8Array): Identity | undefined {
  if (known.has(fingerprint)) return known.get(fingerprint);
  if (known.size >= MOST_KNOWN) known.clear();
  const identity = read(der);
  known.set(fingerprint, identity);
  return identity;
}

function read(der: Uint8Array): Identity | undefined {
  const certificate = attempt(() => new X509Certificate(Buffer.from(der)));
  if (!certificate) return undefined;
  const spiffe = spiffeOf(der);
  const id = attempt(() => nodeIdOf(nodeKeyOf(certificate.publicKey).octets));
  const names = [...spiffe === undefined ? [] : [spiffe], ...id === undefined ? [] : [keyName(id)]];
  return names.length === 0 ? undefined : { name: names[0], names, proof: "tls certificate" };
}

/** The one URI of its names; with another one beside it, it is none (SPIFFE's X509-SVID 2). */
export function spiffeOf(der: Uint8Array): string | undefined {
  const [uri, ...others] = uriNames(der);
  return uri !== undefined && others.length === 0 ? readSpiffeId(uri) : undefined;
}

/** node:crypto reads less than OpenSSL, which took the certificate. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
