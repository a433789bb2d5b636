/** The public half of a key of ours: what its names are made of, and how TLS, the DNS and SSH have it. */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { GateError } from "../errors.ts";
import type { KeyOctets } from "./node_id.ts";

export type KeyKind = "P-256" | "P-384" | "P-521" | "Ed25519" | "RSA";

/** Plain data. */
export interface NodeKey {
  readonly kind: KeyKind;
  /** What ID and VIP are made of. */
  readonly octets: KeyOctets;
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
  readonly ssh: SshKey;
}

export interface SshKey {
  /** `ecdsa-sha2-nistp256` */
  readonly type: string;
  readonly blob: Uint8Array;
  /** `SHA256:…` */
  readonly fingerprint: string;
}

const CURVES: Readonly<Record<string, string>> = {
  "P-256": "nistp256",
  "P-384": "nistp384",
  "P-521": "nistp521",
};
const UNCOMPRESSED = Uint8Array.of(4);

/** Throws GateError "malformed" for a key of another kind. */
export function nodeKeyOf(key: KeyObject): NodeKey {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const jwk = publicKey.export({ format: "jwk" }),
    spki = Uint8Array.from(publicKey.export({ type: "spki", format: "der" }));
  const kind = kindOf(jwk), ssh = sshKeyOf(kind, jwk);
  return { kind, spki, ssh, octets: octetsOf(kind, jwk, ssh, publicKey) };
}

function kindOf({ kty, crv }: JsonWebKey): KeyKind {
  if (kty === "RSA") return "RSA";
  if (crv === "Ed25519" || crv === "P-256" || crv === "P-384" || crv === "P-521") return crv;
  throw new GateError(
    "malformed",
    "gate",
    `Cannot use a key of ${crv ?? kty}: expected P-256, P-384, P-521, Ed25519 or RSA`,
  );
}

function octetsOf(
  kind: KeyKind,
  { x = "", y = "" }: JsonWebKey,
  { blob }: SshKey,
  key: KeyObject,
): KeyOctets {
  if (kind === "P-256") return { form: "point", octets: joined(UNCOMPRESSED, octets(x), octets(y)) };
  if (kind === "Ed25519") return { form: "ed25519", octets: octets(x) };
  if (kind !== "RSA") return { form: "blob", octets: blob };
  return { form: "pkcs1", octets: Uint8Array.from(key.export({ type: "pkcs1", format: "der" })) };
}

/** RFC 4253 6.6, 5656 3.1, 8709 4. */
function sshKeyOf(kind: KeyKind, { x = "", y = "", n = "", e = "" }: JsonWebKey): SshKey {
  if (kind === "RSA") return sshKey("ssh-rsa", positive(octets(e)), positive(octets(n)));
  if (kind === "Ed25519") return sshKey("ssh-ed25519", octets(x));
  const curve = CURVES[kind], point = joined(UNCOMPRESSED, octets(x), octets(y));
  return sshKey(`ecdsa-sha2-${curve}`, new TextEncoder().encode(curve), point);
}

function sshKey(type: string, ...fields: Uint8Array[]): SshKey {
  const all = [new TextEncoder().encode(type), ...fields];
  const blob = joined(...all.flatMap((field) => [uint32(field.length), field]));
  const hash = createHash("sha256").update(blob).digest("base64").replace(/=+$/, "");
  return { type, blob, fingerprint: `SHA256:${hash}` };
}

const octets = (base64url: string): Uint8Array => Uint8Array.fromBase64(base64url, { alphabet: "base64url" });

/** As an mpint has it. */
const positive = (number: Uint8Array): Uint8Array =>
  number[0] >= 0x80 ? joined(Uint8Array.of(0), number) : number;

const uint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff);

const joined = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
