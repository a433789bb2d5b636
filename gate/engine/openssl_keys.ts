/**
 * Signatures by libcrypto: those of P-256 cost a tenth of what node:crypto takes for them, and RSA keys may be longer
 * than the 4096 bits it knows. A public key is made for each signature, which is cheap, and freed in the same call.
 */
import { GateError } from "../errors.ts";
import { type OpenSsl, openssl, takeError } from "./openssl_library.ts";

export type Hash = "sha256" | "sha384" | "sha512";
export type Curve = "P-256" | "P-384" | "P-521";

/** A point without compression (SEC 1 2.3.3), or an RSAPublicKey in DER (RFC 8017 A.1.1). */
export type VerifyingKey =
  | { readonly curve: Curve; readonly point: Uint8Array }
  | { readonly pkcs1: Uint8Array };

/** All that isSignedBy has to know: plain data. */
export interface SignatureCheck {
  readonly key: VerifyingKey;
  readonly hash: Hash;
  readonly signature: Uint8Array;
  readonly data: Uint8Array;
}

/** Private keys of this thread that were made and not freed. */
export const liveSigningKeys = { count: 0 };

// obj_mac.h: NID_rsaEncryption, NID_X9_62_id_ecPublicKey
const RSA = 6, EC = 408;
/** The curves' names in DER (RFC 5480 2.1.1.1), and the octets of a point. */
const CURVES: Readonly<Record<Curve, { readonly oid: string; readonly octets: number }>> = {
  "P-256": { oid: "06082a8648ce3d030107", octets: 65 },
  "P-384": { oid: "06052b81040022", octets: 97 },
  "P-521": { oid: "06052b81040023", octets: 133 },
};
const UNCOMPRESSED = 4;
/** Of RSA with 16384 bits; the others are shorter. */
const LONGEST_SIGNATURE = 2048;

const place = new BigUint64Array(1), placeBytes = new Uint8Array(place.buffer);
/** Keys with nothing but their curve, of which points make public ones: kept for good. */
const curves = new Map<Curve, Deno.PointerObject>();
let digesting: Deno.PointerObject | undefined;

/**
 * Whether the key made this signature of the data: PKCS #1 v1.5 for RSA, for others the DER of ECDSA-Sig-Value. P-256
 * and RSA take 0.05 to 0.3 ms; P-384 and P-521 nearly one where OpenSSL has no code of their own for them. Throws
 * GateError: "malformed" where this is no key, "unsupported" without libcrypto.
 */
export function isSignedBy(
  key: VerifyingKey,
  hash: Hash,
  signature: Uint8Array,
  data: Uint8Array,
): boolean {
  const library = openssl(), { crypto } = library;
  const pointer = "curve" in key ? pointKey(library, key.curve, key.point) : rsaKey(library, key.pkcs1);
  const context = digestContext(library);
  try {
    return crypto.EVP_DigestVerifyInit(context, null, digest(library, hash), null, pointer) === 1 &&
      crypto.EVP_DigestVerify(
          context,
          owned(signature),
          BigInt(signature.length),
          owned(data),
          BigInt(data.length),
        ) === 1;
  } finally {
    crypto.EVP_MD_CTX_reset(context);
    crypto.EVP_PKEY_free(pointer);
    crypto.ERR_clear_error();
  }
}

/** A private key in libcrypto's hands. */
export class SigningKey implements Disposable {
  readonly #library: OpenSsl;
  /** Null once freed. */
  #pointer: Deno.PointerValue;

  /** Of PKCS #8 in DER. Throws GateError: "malformed" where it is no key, "unsupported" without libcrypto. */
  constructor(pkcs8: Uint8Array) {
    this.#library = openssl();
    const { crypto } = this.#library, bytes = pkcs8.slice();
    this.#pointer = crypto.d2i_AutoPrivateKey(null, pointerTo(bytes), BigInt(bytes.length));
    bytes.fill(0);
    if (this.#pointer === null) throw unusable("a private key", takeError(this.#library).text);
    crypto.ERR_clear_error();
    liveSigningKeys.count++;
  }

  /** As isSignedBy has it; `hash` undefined for Ed25519, which has one of its own. P-256 takes 0.02 ms, RSA one to 3. */
  sign(hash: Hash | undefined, data: Uint8Array): Uint8Array {
    const { crypto } = this.#library, context = digestContext(this.#library);
    if (this.#pointer === null) throw new GateError("internal", "gate", "Cannot sign: the key was freed");
    const signature = new Uint8Array(LONGEST_SIGNATURE);
    place[0] = BigInt(signature.length);
    try {
      const md = hash && digest(this.#library, hash);
      const signed = crypto.EVP_DigestSignInit(context, null, md ?? null, null, this.#pointer) === 1 &&
        crypto.EVP_DigestSign(context, signature, placeBytes, owned(data), BigInt(data.length)) === 1;
      if (!signed) {
        throw new GateError("internal", "gate", `Cannot sign: ${takeError(this.#library).text}`);
      }
      return signature.slice(0, Number(place[0]));
    } finally {
      crypto.EVP_MD_CTX_reset(context);
      crypto.ERR_clear_error();
    }
  }

  /** The second time it does nothing. */
  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.#library.crypto.EVP_PKEY_free(this.#pointer);
    this.#pointer = null;
    liveSigningKeys.count--;
  }
}

/** Where it is not a point of the curve OpenSSL refuses it. */
function pointKey(library: OpenSsl, curve: Curve, point: Uint8Array): Deno.PointerObject {
  const { crypto } = library, { octets } = CURVES[curve];
  if (point.length !== octets || point[0] !== UNCOMPRESSED) {
    throw unusable("a key", `expected a point of ${curve} without compression`);
  }
  const parameters = curveKey(library, curve), key = crypto.EVP_PKEY_new();
  if (key === null) throw unusable("a key", "no memory");
  const right = crypto.EVP_PKEY_copy_parameters(key, parameters) === 1 &&
    crypto.EVP_PKEY_set1_encoded_public_key(key, owned(point), BigInt(point.length)) === 1;
  if (right) return key;
  crypto.EVP_PKEY_free(key);
  throw unusable("a key", takeError(library).text);
}

function curveKey(library: OpenSsl, curve: Curve): Deno.PointerObject {
  const known = curves.get(curve);
  if (known) return known;
  const oid = Uint8Array.fromHex(CURVES[curve].oid);
  const made = library.crypto.d2i_KeyParams(EC, null, pointerTo(oid), BigInt(oid.length));
  if (made === null) {
    throw new GateError("unsupported", "gate", `Cannot use ${curve}: ${takeError(library).text}`);
  }
  curves.set(curve, made);
  return made;
}

function rsaKey(library: OpenSsl, pkcs1: Uint8Array): Deno.PointerObject {
  const bytes = owned(pkcs1);
  const key = library.crypto.d2i_PublicKey(RSA, null, pointerTo(bytes), BigInt(bytes.length));
  if (key === null) throw unusable("a key", takeError(library).text);
  return key;
}

function digest({ crypto }: OpenSsl, hash: Hash): Deno.PointerValue {
  if (hash === "sha256") return crypto.EVP_sha256();
  return hash === "sha384" ? crypto.EVP_sha384() : crypto.EVP_sha512();
}

/** One of the thread: empty between calls. */
function digestContext({ crypto }: OpenSsl): Deno.PointerObject {
  const made = digesting ?? crypto.EVP_MD_CTX_new();
  if (made === null) throw new GateError("exhausted", "gate", "Cannot hash: no memory");
  return digesting = made;
}

/** What a d2i function takes: it moves the pointer behind what it read. */
function pointerTo(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  place[0] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  return placeBytes;
}

/** FFI takes no views of shared memory. */
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : bytes.slice();

const unusable = (what: string, state: string): GateError =>
  new GateError("malformed", "gate", `Cannot use ${what}: ${state}`);
