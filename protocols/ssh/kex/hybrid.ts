/**
 * mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex): ML-KEM-768 beside X25519, so that what is recorded today stays
 * secret when one of the two is broken. K is a string: the hash of both secrets.
 */
import { createHash } from "node:crypto";
import { Agreement } from "../../../gate/engine/openssl_agreement.ts";
import { encoded } from "../wire.ts";
import type { Answer, ClientSide, Exchange } from "./exchange.ts";
import type { Kem } from "./ml_kem.ts";

/** Bytes of an encapsulation key and of a ciphertext (FIPS 203, table 3), and of X25519's share behind them. */
const KEM_KEY = 1184, CIPHERTEXT = 1088, X25519 = 32;

export const hybrid = (kem: Kem): Exchange => ({
  begin: () => new HybridSide(kem),
  answer: (theirs) => answer(kem, theirs),
});

function answer(kem: Kem, theirs: Uint8Array): Answer | undefined {
  if (theirs.length !== KEM_KEY + X25519) return undefined;
  using pair = new Agreement("X25519");
  const classical = pair.secretWith(theirs.subarray(KEM_KEY));
  if (classical === undefined) return undefined;
  const encapsulated = kem.encapsulate(theirs.slice(0, KEM_KEY));
  if (encapsulated === undefined) return undefined;
  const share = joined(encapsulated.cipherText, pair.share);
  return { share, secret: combined(encapsulated.sharedSecret, classical) };
}

class HybridSide implements ClientSide {
  readonly share: Uint8Array;
  readonly #kem: Kem;
  readonly #pair: Agreement;
  readonly #secretKey: Uint8Array;

  constructor(kem: Kem) {
    this.#kem = kem;
    const { publicKey, secretKey } = kem.generate();
    this.#secretKey = secretKey;
    this.#pair = new Agreement("X25519");
    this.share = joined(publicKey, this.#pair.share);
  }

  secretWith(theirs: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (theirs.length !== CIPHERTEXT + X25519) return undefined;
    const classical = this.#pair.secretWith(theirs.subarray(CIPHERTEXT));
    if (classical === undefined) return undefined;
    return combined(this.#kem.decapsulate(theirs.slice(0, CIPHERTEXT), this.#secretKey), classical);
  }

  [Symbol.dispose](): void {
    this.#pair[Symbol.dispose]();
    this.#secretKey.fill(0);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function combined(quantum: Uint8Array, classical: Uint8Array): Uint8Array<ArrayBuffer> {
  const secret = createHash("sha256").update(quantum).update(classical).digest();
  const string = encoded((to) => to.string(secret));
  for (const part of [quantum, classical, secret]) part.fill(0);
  return string;
}
