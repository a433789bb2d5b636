/**
 * Diffie-Hellman on elliptic curves by libcrypto: X25519 (RFC 7748) and P-256 (SEC 1 3.3.1). A pair of keys serves one
 * agreement.
 */
import { GateError } from "../errors.ts";
import { cString, type OpenSsl, openssl, takeError } from "./openssl_library.ts";

export type AgreementCurve = "X25519" | "P-256";

/** Bytes of a public key: of P-256 a point without compression. */
const PUBLIC_SIZE: Readonly<Record<AgreementCurve, number>> = { "X25519": 32, "P-256": 65 };
const SECRET_SIZE = 32;
/** SEC 1 2.3.3 */
const UNCOMPRESSED = 4;

/** Pairs of this thread that were made and not freed. */
export const liveAgreements = { count: 0 };

// obj_mac.h: NID_X9_62_id_ecPublicKey, NID_X25519, NID_X9_62_prime256v1
const EC = 408, X25519 = 1034, P256 = 415;

const place = new BigUint64Array(1), placeBytes = new Uint8Array(place.buffer);
const PUBLIC = cString("pub");
/** What makes keys, kept for good. */
const makers = new Map<AgreementCurve, Deno.PointerObject>();

export class Agreement implements Disposable {
  readonly #library: OpenSsl;
  /** Null once freed. */
  #pair: Deno.PointerValue;

  /** A fresh pair. Throws GateError "unsupported" without libcrypto. */
  constructor(readonly curve: AgreementCurve) {
    const library = this.#library = openssl();
    place[0] = 0n;
    const made = library.crypto.EVP_PKEY_generate(maker(library, curve), placeBytes) === 1;
    this.#pair = Deno.UnsafePointer.create(place[0]);
    if (!made || this.#pair === null) throw unusable("make a key", library);
    liveAgreements.count++;
  }

  /** The public key, for the peer. */
  get share(): Uint8Array<ArrayBuffer> {
    const share = new Uint8Array(PUBLIC_SIZE[this.curve]), { crypto } = this.#library;
    const size = share.length;
    const got = crypto.EVP_PKEY_get_octet_string_param(this.#live, PUBLIC, share, size, placeBytes) === 1;
    if (!got || place[0] !== BigInt(size)) throw unusable("tell a public key", this.#library);
    return share;
  }

  /**
   * The secret of 32 bytes that the two pairs have in common; undefined where the peer's is no key of this curve, or one
   * that makes a secret of zeros (RFC 7748 6.1).
   */
  secretWith(theirs: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const right = theirs.length === PUBLIC_SIZE[this.curve] &&
      (this.curve === "X25519" || theirs[0] === UNCOMPRESSED); // so it is not the point at infinity
    if (!right) return undefined;
    const { crypto } = this.#library, peer = crypto.EVP_PKEY_new();
    const context = crypto.EVP_PKEY_CTX_new(this.#live, null);
    try {
      return peer === null || context === null ? undefined : this.#derive(context, peer, theirs.slice());
    } finally {
      crypto.EVP_PKEY_free(peer);
      crypto.EVP_PKEY_CTX_free(context);
      crypto.ERR_clear_error();
    }
  }

  #derive(
    context: Deno.PointerObject,
    peer: Deno.PointerObject,
    theirs: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | undefined {
    const { crypto } = this.#library, secret = new Uint8Array(SECRET_SIZE);
    place[0] = BigInt(SECRET_SIZE);
    // A point that is not on the curve is refused as it is set; of P-256 every other one will do, for its cofactor is 1.
    const derived = crypto.EVP_PKEY_copy_parameters(peer, this.#live) === 1 &&
      crypto.EVP_PKEY_set1_encoded_public_key(peer, theirs, BigInt(theirs.length)) === 1 &&
      crypto.EVP_PKEY_derive_init(context) === 1 &&
      crypto.EVP_PKEY_derive_set_peer_ex(context, peer, 0) === 1 &&
      crypto.EVP_PKEY_derive(context, secret, placeBytes) === 1;
    return derived && secret.some((byte) => byte !== 0) ? secret : undefined;
  }

  get #live(): Deno.PointerObject {
    if (this.#pair !== null) return this.#pair;
    throw new GateError("internal", "gate", "Cannot agree on a secret: the key was freed");
  }

  /** The second time it does nothing. */
  [Symbol.dispose](): void {
    if (this.#pair === null) return;
    this.#library.crypto.EVP_PKEY_free(this.#pair);
    this.#pair = null;
    liveAgreements.count--;
  }
}

function maker(library: OpenSsl, curve: AgreementCurve): Deno.PointerObject {
  const known = makers.get(curve);
  if (known) return known;
  const { crypto } = library, made = crypto.EVP_PKEY_CTX_new_id(curve === "P-256" ? EC : X25519, null);
  const ready = made !== null && crypto.EVP_PKEY_keygen_init(made) === 1 &&
    (curve === "X25519" || crypto.EVP_PKEY_CTX_set_ec_paramgen_curve_nid(made, P256) === 1);
  if (!ready) throw unusable("make keys", library);
  makers.set(curve, made);
  return made;
}

const unusable = (act: string, library: OpenSsl): GateError =>
  new GateError("unsupported", "gate", `Cannot ${act}: ${takeError(library).text}`);
