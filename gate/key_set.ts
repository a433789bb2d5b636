/** The public keys that an issuer signs tokens with (a JWK Set, RFC 7517), as they are written. */

/** Whose tokens are believed. */
export interface Issuer {
  /** Exactly as `iss` has it. */
  readonly issuer: string;
  readonly keys: KeySource;
}

/** Where the keys are: fetched from a URL, or the text of a file. */
export type KeySource = { readonly url: string } | { readonly file: string; readonly text: string };

export interface KeySet {
  readonly keys: readonly PublicKey[];
}

/** A JWK, as far as is known of it before it is used. */
type PublicKey = Readonly<Record<string, unknown>> & { readonly kty: string };

/** A set of more is none that an issuer would have. */
const MOST_KEYS = 100;
/** 8192 bits, and 48: to verify by larger ones takes seconds. Octets in base64url. */
const LONGEST_MODULUS = 1366, LONGEST_EXPONENT = 8;
const ASYMMETRIC: readonly string[] = ["RSA", "EC", "OKP"];

/**
 * The keys that may verify: public ones of pairs. A sentence's end says why there is none. Secrets and private keys that
 * are in a set by mistake are left out: who can read them can sign; and so are keys that are too large.
 */
export function readKeySet(text: string): KeySet | string {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  const { keys } = isRecord(set) ? set : {};
  if (!Array.isArray(keys)) return "it is not a JWK Set: it has no list of keys";
  if (keys.length > MOST_KEYS) return `it has more than ${MOST_KEYS} keys`;
  const usable = keys.filter(isPublic);
  return usable.length > 0 ? { keys: usable } : "it has no public key of RSA, EC or OKP";
}

const isPublic = (key: unknown): key is PublicKey =>
  isRecord(key) && ASYMMETRIC.includes(String(key.kty)) && key.d === undefined &&
  (key.kty !== "RSA" || isShort(key.n, LONGEST_MODULUS) && isShort(key.e, LONGEST_EXPONENT));

/** In base64url. */
const isShort = (number: unknown, longest: number): boolean =>
  typeof number === "string" && number.length <= longest;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
