/**
 * ML-KEM-768 (FIPS 203) in JavaScript, for no libcrypto before 3.5 has it: 0.3 ms for each step once V8 has compiled it,
 * and tens before. So it is loaded and run in ahead of connections, and is not there until that is over.
 */

/** What of it a key exchange needs. */
export interface Kem {
  generate(): { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array };
  /** undefined: this is no encapsulation key (FIPS 203 7.2). */
  encapsulate(
    publicKey: Uint8Array,
  ): { readonly cipherText: Uint8Array; readonly sharedSecret: Uint8Array } | undefined;
  /** A ciphertext that was tampered with makes another secret (FIPS 203 6.3). */
  decapsulate(cipherText: Uint8Array, secretKey: Uint8Array): Uint8Array;
}

/** Rounds before V8 has compiled what matters. */
const ROUNDS = 12;

let loading: Promise<Kem> | undefined;

/** Loads it once per thread. It holds the thread for tens of ms in all, `pause` comes between steps of a few. */
export function loadMlKem(pause: () => Promise<void>): Promise<Kem> {
  return loading ??= load(pause);
}

async function load(pause: () => Promise<void>): Promise<Kem> {
  const { ml_kem768 } = await import("@noble/post-quantum/ml-kem.js");
  const kem: Kem = {
    generate: () => ml_kem768.keygen(),
    encapsulate: (publicKey) => {
      try {
        return ml_kem768.encapsulate(publicKey);
      } catch { // the only thing it refuses: a key that is none
        return undefined;
      }
    },
    decapsulate: (cipherText, secretKey) => ml_kem768.decapsulate(cipherText, secretKey),
  };
  for (let round = 0; round < ROUNDS; round++) {
    await pause();
    const { publicKey, secretKey } = kem.generate();
    await pause();
    const encapsulated = kem.encapsulate(publicKey)!;
    await pause();
    kem.decapsulate(encapsulated.cipherText, secretKey);
  }
  return kem;
}
