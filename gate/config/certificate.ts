/** A certificate as it is read of PEM: its names, its validity, and whether this machine's OpenSSL can use it. */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { normalName } from "../address.ts";
import {
  clientContext,
  type DerKey,
  KEY_TYPES,
  type KeyPair,
  serverContext,
} from "../engine/openssl_context.ts";

/** What may be told of a certificate. */
export interface CertificateFacts {
  /** Normal names and `*.name`; none: it is for addresses alone. */
  readonly names: readonly string[];
  /** ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Who issued it, in one line. */
  readonly issuer: string;
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint: string;
  /** Of the whole chain. */
  readonly digest: string;
}

const FIRST = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/;

/** Throws GateError: "malformed" where it cannot be used, "unsupported" without libssl. */
export function tryKeyPair(keyPair: KeyPair): void {
  serverContext({ keyPair, alpn: [], scope: "" })[Symbol.dispose]();
}

/** The pair in the form that engines read fastest, as far as it has one; tryKeyPair took it before. */
export function quickest(keyPair: KeyPair): KeyPair {
  try {
    const key = createPrivateKey(keyPair.key), type = key.asymmetricKeyType ?? "";
    if (!Object.hasOwn(KEY_TYPES, type)) return keyPair;
    const bytes = Uint8Array.from(key.export({ type: "pkcs8", format: "der" }));
    const quick = { ...keyPair, der: { type: type as DerKey["type"], bytes } };
    tryKeyPair(quick);
    return quick;
  } catch { // one that OpenSSL alone can read
    return keyPair;
  }
}

/** Throws as tryKeyPair. */
export function tryRoots(pem: string): void {
  clientContext({ roots: { pem }, alpn: [] })[Symbol.dispose]();
}

/** Of the first certificate of a PEM that tryKeyPair took; a text: what is wrong with it. */
export function certificateFacts(chain: string): CertificateFacts | string {
  const pem = FIRST.exec(chain)?.[0];
  if (pem === undefined) return "expected a certificate in PEM";
  const { subjectAltName = "", validFrom, validTo, issuer, fingerprint256 } = new X509Certificate(pem);
  const alternatives = subjectAltName.split(", ");
  const names = alternatives.flatMap((name) =>
    name.startsWith("DNS:") ? servedName(name.slice(4)) ?? [] : []
  );
  if (names.length === 0 && !alternatives.some((name) => name.startsWith("IP Address:"))) {
    return "expected names in its subjectAltName: a common name alone is believed by nobody";
  }
  return {
    names: Array.from(new Set(names)),
    notBefore: Date.parse(validFrom),
    notAfter: Date.parse(validTo),
    issuer: issuer.split("\n").join(", "),
    fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
    digest: digestOf(chain),
  };
}

export const digestOf = (...texts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(texts)).digest("hex");

/** What is no name of a host, or has its star elsewhere, is served to nobody. */
function servedName(name: string): string | undefined {
  if (!name.startsWith("*.")) return normalName(name);
  const below = normalName(name.slice(2));
  return below && `*.${below}`;
}
