/** Signatures as SSH has them: verified under a public key, and made of what a signer answered. */
import { createPublicKey, verify } from "node:crypto";
import { isSignedBy } from "../../../gate/engine/openssl_keys.ts";
import { GateError } from "../../../gate/errors.ts";
import { type SignatureAlgorithm, signatureAlgorithm } from "./algorithms.ts";
import { type Ed25519Key, pkcs1Of, type PublicKey, tagged } from "./public_key.ts";
import { concat, type Fields, readWhole, Refusal, sha256, strings, unsigned } from "./fields.ts";

export type Verify = typeof isSignedBy;

/** What is asked of a signature. */
export interface Demands {
  /** The name that was agreed on, as `rsa-sha2-512`; absent: any that the key can make. */
  readonly algorithm?: string;
  /** Of a security key: that somebody touched it. Absent: true. */
  readonly touch?: boolean;
  /** Of a security key: that it knew who touched it, by a PIN or a finger. Absent: false. */
  readonly verified?: boolean;
  /** In place of isSignedBy: who knows of costly ones already, or wants to know. What it throws is passed on. */
  readonly verify?: Verify;
}

const MOST_NAME = 64;
/** The longest is of RSA with 8192 bits. */
export const MOST_SIGNATURE_BYTES = 2048;
const ED25519_OCTETS = 64;
/** Octets of r and s, P-521's at most. */
const MOST_ECDSA_OCTETS = 66;
// OpenSSH's PROTOCOL.u2f
const TOUCHED = 0x01, VERIFIED = 0x04;

/** What a signature blob has in it; of security keys what they signed besides. */
interface Parts {
  readonly algorithm: SignatureAlgorithm;
  readonly value: Uint8Array;
  readonly flags: number;
  readonly counter: number;
}

/**
 * Whether the key made this signature blob of the data: true, or why it is not taken. P-256, Ed25519 and RSA take some
 * 0.1 ms of the thread, P-384 and P-521 up to one. Throws GateError "unsupported" without libcrypto.
 */
export function verifySignature(
  key: PublicKey,
  signature: Uint8Array,
  data: Uint8Array,
  demands: Demands = {},
): true | Refusal {
  if (signature.length > MOST_SIGNATURE_BYTES) return new Refusal(`a signature of ${signature.length} bytes`);
  const parts = readWhole(signature, (fields) => readParts(key, fields));
  if (parts instanceof Refusal) return parts;
  const lacks = whatLacks(key, parts, demands);
  if (lacks) return lacks;
  const application = key.kind === "rsa" ? undefined : key.application;
  const signed = application === undefined ? data : bySecurityKey(application, parts, data);
  const right = isRight(key, parts, signed, demands.verify);
  if (right instanceof Refusal) return right;
  return right || new Refusal("the signature is not that of the key");
}

/** Why a signature that was right is too little for what is demanded now; undefined: it is enough. */
export function whyNotEnough(key: PublicKey, signature: Uint8Array, demands: Demands): Refusal | undefined {
  const parts = readWhole(signature, (fields) => readParts(key, fields));
  return parts instanceof Refusal ? parts : whatLacks(key, parts, demands);
}

function whatLacks(key: PublicKey, { algorithm, flags }: Parts, demands: Demands): Refusal | undefined {
  if (demands.algorithm !== undefined && demands.algorithm !== algorithm.name) {
    return new Refusal(`a signature by ${algorithm.name}, where ${demands.algorithm} was agreed on`);
  }
  if (key.kind === "rsa" || key.application === undefined) return undefined;
  if (demands.touch !== false && !(flags & TOUCHED)) return new Refusal("nobody touched the security key");
  return demands.verified && !(flags & VERIFIED)
    ? new Refusal("the security key did not ask who it is")
    : undefined;
}

/** Throws Refusal. */
function readParts(key: PublicKey, fields: Fields): Parts {
  const name = fields.text(MOST_NAME), algorithm = signatureAlgorithm(name);
  if (algorithm?.type !== key.type) {
    throw new Refusal(`a signature by ${JSON.stringify(name)} of a key of ${key.type}`);
  }
  const value = fields.string();
  const bySecurityKey = key.kind !== "rsa" && key.application !== undefined;
  return bySecurityKey
    ? { algorithm, value, flags: fields.byte(), counter: fields.uint32() }
    : { algorithm, value, flags: 0, counter: 0 };
}

/** What a security key signs in place of the data. */
function bySecurityKey(application: string, { flags, counter }: Parts, data: Uint8Array): Uint8Array {
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, counter);
  return concat(sha256(new TextEncoder().encode(application)), Uint8Array.of(flags), count, sha256(data));
}

function isRight(
  key: PublicKey,
  { algorithm, value }: Parts,
  data: Uint8Array,
  verify: Verify = isSignedBy,
): boolean | Refusal {
  const { hash = "sha256" } = algorithm;
  try {
    if (key.kind === "rsa") {
      return verify({ pkcs1: pkcs1Of(key) }, hash, asLongAs(value, key.modulus), data);
    }
    if (key.kind === "ed25519") return value.length === ED25519_OCTETS && verifyEd25519(key, value, data);
    const signature = readWhole(value, derOfEcdsa);
    return signature instanceof Refusal
      ? signature
      : verify({ curve: key.curve, point: key.point }, hash, signature, data);
  } catch (thrown) {
    if (thrown instanceof GateError && thrown.failure === "malformed") return new Refusal(thrown.message);
    throw thrown;
  }
}

/** Some leave out zeros in front (RFC 8332 3 wants them). */
const asLongAs = (value: Uint8Array, { length }: Uint8Array): Uint8Array =>
  value.length < length ? concat(new Uint8Array(length - value.length), value) : value;

/** node:crypto needs half of libcrypto's time here. */
function verifyEd25519({ octets }: Ed25519Key, signature: Uint8Array, data: Uint8Array): boolean {
  const x = octets.toBase64({ alphabet: "base64url", omitPadding: true });
  try {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, data, key, signature);
  } catch { // the octets are no point of the curve
    return false;
  }
}

/** ECDSA-Sig-Value (RFC 3279 2.2.3) of the two numbers (RFC 5656 3.1.2). Throws Refusal. */
function derOfEcdsa(fields: Fields): Uint8Array {
  const r = fields.positive(MOST_ECDSA_OCTETS), s = fields.positive(MOST_ECDSA_OCTETS);
  return tagged(0x30, concat(tagged(0x02, unsigned(r)), tagged(0x02, unsigned(s))));
}

/**
 * The blob of what a signing key answered: see SigningKey of openssl_keys.ts. Throws Refusal where a signature of ECDSA
 * is not in DER.
 */
export function signatureBlob({ name, type }: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  return strings(name, type.startsWith("ecdsa-") ? numbersOfDer(signature) : signature);
}

function numbersOfDer(der: Uint8Array): Uint8Array {
  const whole = contentOf(der, 0, 0x30), r = contentOf(der, whole.from, 0x02), s = contentOf(der, r.to, 0x02);
  if (whole.to !== der.length || s.to !== der.length) {
    throw new Refusal("a signature that is no DER of ECDSA");
  }
  return strings(der.subarray(r.from, r.to), der.subarray(s.from, s.to)); // DER has the sign's zero as an mpint has it
}

/** Where the content of a value of DER lies, of at most 255 octets. */
function contentOf(der: Uint8Array, at: number, tag: number): { readonly from: number; readonly to: number } {
  const long = der[at + 1] === 0x81, from = at + (long ? 3 : 2), size = long ? der[at + 2] : der[at + 1];
  if (der[at] !== tag || !(size < 0x80 || long) || from + size > der.length) {
    throw new Refusal("a signature that is no DER of ECDSA");
  }
  return { from, to: from + size };
}
