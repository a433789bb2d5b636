/** A node's identity as it is told: fingerprints, and the lines that others write down. */
import { createHash } from "node:crypto";
import type { NodeIdentity } from "./node_identity.ts";
import type { SshKey } from "./public_key.ts";

/** Plain data; nothing in it is secret. */
export interface NodeWords {
  readonly id: string;
  readonly vip: string;
  readonly names: readonly string[];
  /** `P-256` */
  readonly key: string;
  readonly ssh: {
    readonly type: string;
    readonly fingerprint: string;
    /** What its server shows. */
    readonly host: { readonly type: string; readonly fingerprint: string };
  };
  readonly tls: {
    /** Of the certificate: `AB:CD:…` */
    readonly fingerprint: string;
    /** ISO 8601 */
    readonly expires: string;
    readonly selfSigned: boolean;
    readonly spiffe?: string;
  };
  /** `ecdsa-sha2-nistp256 AAAA… name` */
  readonly authorizedKeys: string;
  /** On every port, under every suffix: the label is the key's own hash. */
  readonly knownHosts: string;
  /** RFC 7671 5.1: this key, whoever certifies it. */
  readonly tlsa: string;
}

/** `comment`: what the gate is called. */
export function wordsOf(
  { id, vip, names, key, sshHostKey, certificate }: NodeIdentity,
  comment: string,
): NodeWords {
  const label = id.toLowerCase(), hosts = `${label}.*,[${label}.*]:*`;
  const spki = createHash("sha256").update(key.spki).digest("hex");
  return {
    ...{ id, vip, names, key: key.kind },
    ssh: { ...fingerprintOf(key.ssh), host: fingerprintOf(sshHostKey) },
    tls: {
      fingerprint: certificate.fingerprint.toUpperCase().match(/../g)!.join(":"),
      expires: new Date(certificate.notAfter).toISOString(),
      selfSigned: certificate.selfSigned,
      spiffe: certificate.spiffe,
    },
    authorizedKeys: `${lineOf(key.ssh)} ${comment}`,
    knownHosts: `${hosts} ${lineOf(sshHostKey)}`,
    tlsa: `_443._tcp.${names[0]}. IN TLSA 3 1 1 ${spki}`,
  };
}

const fingerprintOf = ({ type, fingerprint }: SshKey) => ({ type, fingerprint });

const lineOf = ({ type, blob }: SshKey): string => `${type} ${blob.toBase64()}`;
