/** AES-GCM as OpenSSH has it (PROTOCOL 1.6; RFC 5647): the length in clear, the MAC's algorithm not asked for. */
import { AesGcm, GCM_IV, GCM_TAG } from "../../../gate/engine/openssl_ciphers.ts";
import { uint32At } from "../wire.ts";
import { frame, LENGTH, type Opener, overheadOf, type Sealer } from "./protection.ts";

const BLOCK = 16;

export class GcmSealer implements Sealer {
  readonly overhead = overheadOf(BLOCK, GCM_TAG);
  readonly #cipher: AesGcm;
  readonly #iv: Uint8Array<ArrayBuffer>;

  constructor(key: Uint8Array, iv: Uint8Array) {
    this.#cipher = new AesGcm(key, true);
    this.#iv = ivOf(iv);
  }

  seal(bytes: Uint8Array, at: number, size: number): number {
    const length = frame(bytes, at, size, BLOCK, 0);
    this.#cipher.seal(this.#iv, bytes, at, LENGTH, length);
    count(this.#iv);
    return LENGTH + length + GCM_TAG;
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]();
  }
}

export class GcmOpener implements Opener {
  readonly block = BLOCK;
  readonly counted = 0;
  readonly tag = GCM_TAG;
  readonly #cipher: AesGcm;
  readonly #iv: Uint8Array<ArrayBuffer>;

  constructor(key: Uint8Array, iv: Uint8Array) {
    this.#cipher = new AesGcm(key, false);
    this.#iv = ivOf(iv);
  }

  length(bytes: Uint8Array, at: number): number {
    return uint32At(bytes, at);
  }

  open(bytes: Uint8Array, at: number, length: number): boolean {
    const authentic = this.#cipher.open(this.#iv, bytes, at, LENGTH, length);
    count(this.#iv);
    return authentic;
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]();
  }
}

/** Four fixed bytes, and a counter of 8 (RFC 5647 7.1). */
const FIXED = 4;

function ivOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const iv = new Uint8Array(new ArrayBuffer(GCM_IV)); // a small array without a buffer may be moved
  iv.set(bytes);
  return iv;
}

function count(iv: Uint8Array): void {
  for (let at = GCM_IV - 1; at >= FIXED; at--) {
    iv[at]++;
    if (iv[at] !== 0) return; // and not the value of ++, which is 256
  }
}
