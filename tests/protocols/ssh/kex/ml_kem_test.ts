import { createHash } from "node:crypto";
import { ml_kem768 as kem } from "@noble/post-quantum/ml-kem.js";
import { equal } from "../../../support/assert.ts";

// The accumulated vectors of C2SP/CCTV for ML-KEM-768 (FIPS 203), of 100 rounds: the digest of all that comes out.
const ROUNDS = 100, ACCUMULATED = "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415";
const SEED = 64, MESSAGE = 32, CIPHERTEXT = 1088;

const shake128 = (bytes: Uint8Array, outputLength: number): Uint8Array =>
  Uint8Array.from(createHash("shake128", { outputLength }).update(bytes).digest());

Deno.test("ML-KEM-768 makes the keys, ciphertexts and secrets that others make, of broken ciphertexts too", () => {
  const random = shake128(new Uint8Array(0), ROUNDS * (SEED + MESSAGE + CIPHERTEXT)), made: Uint8Array[] = [];
  for (let at = 0; at < random.length;) {
    const next = (size: number) => random.slice(at, at += size);
    const { publicKey, secretKey } = kem.keygen(next(SEED));
    const { cipherText, sharedSecret } = kem.encapsulate(publicKey, next(MESSAGE));
    equal(kem.decapsulate(cipherText, secretKey), sharedSecret);
    made.push(publicKey, cipherText, sharedSecret, kem.decapsulate(next(CIPHERTEXT), secretKey));
  }
  equal(shake128(Uint8Array.from(made.flatMap((bytes) => [...bytes])), 32).toHex(), ACCUMULATED);
});
