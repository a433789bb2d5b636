/** Names of signatures (RFC 8332, 5656 3, 8709 3), and of keys in certificates (OpenSSH's PROTOCOL.certkeys). */
import type { Hash } from "../../../gate/engine/openssl_keys.ts";
import { KEY_TYPES, type KeyType } from "./public_key.ts";

/** How a signature is made, and by keys of what type. */
export interface SignatureAlgorithm {
  readonly name: string;
  readonly type: KeyType;
  /** Undefined: Ed25519 has one of its own. */
  readonly hash: Hash | undefined;
}

/** `ssh-rsa` as the name of a signature, which is one with SHA-1, is not among them. The preferred ones first. */
const ALGORITHMS: readonly SignatureAlgorithm[] = [
  { name: "ssh-ed25519", type: "ssh-ed25519", hash: undefined },
  { name: "ecdsa-sha2-nistp256", type: "ecdsa-sha2-nistp256", hash: "sha256" },
  { name: "ecdsa-sha2-nistp384", type: "ecdsa-sha2-nistp384", hash: "sha384" },
  { name: "ecdsa-sha2-nistp521", type: "ecdsa-sha2-nistp521", hash: "sha512" },
  { name: "sk-ssh-ed25519@openssh.com", type: "sk-ssh-ed25519@openssh.com", hash: undefined },
  { name: "sk-ecdsa-sha2-nistp256@openssh.com", type: "sk-ecdsa-sha2-nistp256@openssh.com", hash: "sha256" },
  { name: "rsa-sha2-512", type: "ssh-rsa", hash: "sha512" },
  { name: "rsa-sha2-256", type: "ssh-rsa", hash: "sha256" },
];

/** What stands behind the type of the key in the name of its certificates; before an `@openssh.com` of its own. */
const CERTIFICATE = "-cert-v01@openssh.com";
const OPENSSH = "@openssh.com";

/** Those that are verified, for `server-sig-algs` (RFC 8308 3.1). */
export const SIGNATURE_ALGORITHMS: readonly string[] = ALGORITHMS.map(({ name }) => name);

const signatures = new Map(ALGORITHMS.map((algorithm) => [algorithm.name, algorithm]));
const certificates = new Map(KEY_TYPES.map((type) => [certificateType(type), type]));
const asked = new Map(ALGORITHMS.flatMap((algorithm) => [
  [algorithm.name, { algorithm, certificate: false }],
  [certificateType(algorithm.name), { algorithm, certificate: true }],
]));

/** `ssh-ed25519-cert-v01@openssh.com` for `ssh-ed25519`. */
export function certificateType(name: string): string {
  return (name.endsWith(OPENSSH) ? name.slice(0, -OPENSSH.length) : name) + CERTIFICATE;
}

/** The type of the key in a certificate of this type; undefined: there is no such certificate. */
export const certifiedType = (type: string): KeyType | undefined => certificates.get(type);

/** By the name in a signature. */
export const signatureAlgorithm = (name: string): SignatureAlgorithm | undefined => signatures.get(name);

/** What a name in a request to log in, or in a list of host key algorithms, asks for; undefined: nothing we take. */
export const publicKeyAlgorithm = (name: string) => asked.get(name);
