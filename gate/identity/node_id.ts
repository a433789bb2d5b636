/**
 * Names that follow from a public key: the ID, an IPv6 address (VIP), names in the DNS. A peer that is addressed by such
 * a name is verified by its key alone.
 */
import { createHash } from "node:crypto";
import { formatIp } from "../address.ts";

/**
 * The octets of a public key that its ID is made of. "point": of P-256, 65 octets without compression. "ed25519": its 32
 * octets. "pkcs1": an RSAPublicKey in DER. "blob": of any other key, as SSH has it.
 */
export interface KeyOctets {
  readonly form: "point" | "ed25519" | "pkcs1" | "blob";
  readonly octets: Uint8Array;
}

/** RFC 4648 6. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ID = /^[A-Z2-7]{51}[AEIMQUY4]$/i;
const NETWORK = Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0);
const INTERFACE_OCTETS = 8;
/** Under these every node has a name, beside `node.domain`; the first one where that is empty. */
export const NODE_SUFFIXES = ["m", "h.mesh.internal"] as const;

/** 52 characters of base32, in upper case: the octets of Ed25519 themselves, SHA-256 of any other key's. */
export function nodeIdOf({ form, octets }: KeyOctets): string {
  return base32(form === "ed25519" ? octets : createHash("sha256").update(octets).digest());
}

/** An ID in the spelling of nodeIdOf, whatever its case; undefined: it is none. */
export function readNodeId(text: string): string | undefined {
  return ID.test(text) ? text.toUpperCase() : undefined;
}

/** The node's address in fd00::/64. It is the end of the key and no hash: it names a node, and proves nothing. */
export function vipOf({ form, octets }: KeyOctets): string {
  const end = form === "pkcs1" ? createHash("sha1").update(octets).digest() : octets;
  return formatIp(Uint8Array.from([...NETWORK, ...end.subarray(-INTERFACE_OCTETS)]));
}

/** Names in the DNS, the preferred one first; `domain` may be empty. */
export function nodeNames(id: string, domain: string): string[] {
  const suffixes = new Set([...(domain === "" ? [] : [domain]), ...NODE_SUFFIXES]);
  return Array.from(suffixes, (suffix) => `${id.toLowerCase()}.${suffix}`);
}

function base32(octets: Uint8Array): string {
  let text = "", held = 0, bits = 0;
  for (const octet of octets) {
    held = held << 8 | octet;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[held >>> (bits - 5) & 31];
    held &= 31;
  }
  return bits > 0 ? text + ALPHABET[held << (5 - bits) & 31] : text;
}
