/** Public keys as SSH has them (RFC 4253 6.6, 5656 3.1, 8709 4, OpenSSH's PROTOCOL.u2f): blobs, fingerprints, IDs. */
import type { Curve } from "../../../gate/engine/openssl_keys.ts";
import { type KeyOctets, nodeIdOf } from "../../../gate/identity/node_id.ts";
import { concat, type Fields, readWhole, Refusal, sha256, strings, unsigned } from "./fields.ts";

interface Common {
  /** What is hashed for the fingerprint, and what lists of keys are searched by. */
  readonly blob: Uint8Array;
}

export interface EcdsaKey extends Common {
  readonly kind: "ecdsa";
  readonly type: keyof typeof ECDSA_CURVES;
  readonly curve: Curve;
  /** Without compression. */
  readonly point: Uint8Array;
  /** In a security key (FIDO), made for this application: `ssh:` and what follows. */
  readonly application?: string;
}

export interface Ed25519Key extends Common {
  readonly kind: "ed25519";
  readonly type: "ssh-ed25519" | "sk-ssh-ed25519@openssh.com";
  readonly octets: Uint8Array;
  readonly application?: string;
}

export interface RsaKey extends Common {
  readonly kind: "rsa";
  readonly type: "ssh-rsa";
  /** Both without zeros in front. */
  readonly exponent: Uint8Array;
  readonly modulus: Uint8Array;
}

export type PublicKey = EcdsaKey | Ed25519Key | RsaKey;
export type KeyType = PublicKey["type"];

/** Their names and ours, and the octets of a point. */
const ECDSA_CURVES = {
  "ecdsa-sha2-nistp256": { name: "nistp256", curve: "P-256", octets: 65 },
  "ecdsa-sha2-nistp384": { name: "nistp384", curve: "P-384", octets: 97 },
  "ecdsa-sha2-nistp521": { name: "nistp521", curve: "P-521", octets: 133 },
  "sk-ecdsa-sha2-nistp256@openssh.com": { name: "nistp256", curve: "P-256", octets: 65 },
} as const;
export const KEY_TYPES: readonly KeyType[] = [
  "ssh-ed25519",
  "ssh-rsa",
  "sk-ssh-ed25519@openssh.com",
  ...Object.keys(ECDSA_CURVES) as EcdsaKey["type"][],
];

/** Of a plain key; longer ones are refused before they are looked at. */
export const MOST_KEY_BYTES = 4096;
const ED25519_OCTETS = 32, UNCOMPRESSED = 4;
/** Bits of a modulus. A longer one would hold an engine for most of a millisecond. */
const LEAST_RSA = 2048, MOST_RSA = 8192;
/** Longer exponents make a verification as slow as a signature. */
const MOST_EXPONENT_OCTETS = 4;
const MOST_NAME = 64, MOST_APPLICATION = 256;

/** A copy of what the bytes say. */
export function readPublicKey(bytes: Uint8Array): PublicKey | Refusal {
  if (bytes.length > MOST_KEY_BYTES) return new Refusal(`a key of ${bytes.length} bytes`);
  return readWhole(bytes.slice(), (fields) => readKeyFields(keyTypeOf(fields.text(MOST_NAME)), fields));
}

/** Throws Refusal. */
function keyTypeOf(name: string): KeyType {
  const type = KEY_TYPES.find((known) => known === name);
  if (type) return type;
  throw new Refusal(`keys of the type ${JSON.stringify(name)} are not taken`);
}

/** What stands behind the type; in a certificate without a blob of its own. Throws Refusal. */
export function readKeyFields(type: KeyType, fields: Fields): PublicKey {
  const from = fields.at;
  const key = plainFields(type, fields);
  const blob = concat(strings(type), fields.bytes.subarray(from, fields.at));
  return { ...key, blob } as PublicKey;
}

type WithoutBlob<K> = K extends PublicKey ? Omit<K, "blob"> : never;

function plainFields(type: KeyType, fields: Fields): WithoutBlob<PublicKey> {
  if (type === "ssh-rsa") return { kind: "rsa", type, ...rsaFields(fields) };
  if (type === "ssh-ed25519") return { kind: "ed25519", type, octets: ed25519Octets(fields) };
  if (type === "sk-ssh-ed25519@openssh.com") {
    return {
      kind: "ed25519",
      type,
      octets: ed25519Octets(fields),
      application: fields.text(MOST_APPLICATION),
    };
  }
  const { name, curve, octets } = ECDSA_CURVES[type];
  const named = fields.text(MOST_NAME);
  if (named !== name) throw new Refusal(`a key of ${type} on the curve ${JSON.stringify(named)}`);
  const point = fields.string(octets);
  if (point.length !== octets || point[0] !== UNCOMPRESSED) {
    throw new Refusal(`expected a point of ${curve} without compression`);
  }
  if (type !== "sk-ecdsa-sha2-nistp256@openssh.com") return { kind: "ecdsa", type, curve, point };
  return { kind: "ecdsa", type, curve, point, application: fields.text(MOST_APPLICATION) };
}

function ed25519Octets(fields: Fields): Uint8Array {
  const octets = fields.string(ED25519_OCTETS);
  if (octets.length < ED25519_OCTETS) throw new Refusal(`an Ed25519 key of ${octets.length} octets`);
  return octets;
}

function rsaFields(fields: Fields): Pick<RsaKey, "exponent" | "modulus"> {
  const exponent = fields.positive(MOST_EXPONENT_OCTETS), modulus = fields.positive(MOST_RSA / 8);
  const bits = modulus.length * 8 - Math.clz32(modulus[0]) + 24;
  if (bits < LEAST_RSA) throw new Refusal(`an RSA key of ${bits} bits: ${LEAST_RSA} are the least`);
  const isSmall = exponent.length === 1 && exponent[0] < 3;
  if (isSmall || !(exponent.at(-1)! & 1) || !(modulus.at(-1)! & 1)) {
    throw new Refusal("numbers that no RSA key has");
  }
  return { exponent, modulus };
}

/** `SHA256:` and base64 without padding, as OpenSSH prints it. */
export const fingerprint = (blob: Uint8Array): string =>
  `SHA256:${sha256(blob).toBase64({ omitPadding: true })}`;

/** The ID of who has this key: what `key:` stands in front of in a policy. */
export const keyId = (key: PublicKey): string => nodeIdOf(keyOctets(key));

/** What the ID and the VIP are made of. */
export function keyOctets(key: PublicKey): KeyOctets {
  switch (key.type) {
    case "ecdsa-sha2-nistp256":
      return { form: "point", octets: key.point };
    case "ssh-ed25519":
      return { form: "ed25519", octets: key.octets };
    case "ssh-rsa":
      return { form: "pkcs1", octets: pkcs1Of(key) };
    default:
      return { form: "blob", octets: key.blob };
  }
}

/** RSAPublicKey in DER (RFC 8017 A.1.1). */
export const pkcs1Of = ({ exponent, modulus }: RsaKey): Uint8Array =>
  tagged(0x30, concat(tagged(0x02, unsigned(modulus)), tagged(0x02, unsigned(exponent))));

/** A value of DER (X.690 10.1) of at most 64 KiB. */
export function tagged(tag: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = value;
  if (length < 0x80) return concat(Uint8Array.of(tag, length), value);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  return concat(Uint8Array.of(tag, ...size), value);
}
