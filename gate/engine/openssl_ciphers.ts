/**
 * Ciphers of libcrypto for who makes packets itself: in place, of one direction, under a key that stays and an IV for each
 * packet. What is asked for a packet allocates one view of its bytes and no more.
 */
import { GateError } from "../errors.ts";
import { type OpenSsl, openssl, takeError, textAt } from "./openssl_library.ts";

type Crypto = OpenSsl["crypto"];

/** Bytes of GCM's tag and of its IV; of the IV of CTR and ChaCha20. */
export const GCM_TAG = 16, GCM_IV = 12, STREAM_IV = 16;

/** Ciphers of this thread that were made and not freed. */
export const liveCiphers = { count: 0 };

// evp.h
const CTRL_GET_TAG = 0x10, CTRL_SET_TAG = 0x11;
const SEALS = 1, OPENS = 0;

/** Fixed places for what FFI points to: a small array without a buffer of its own may be moved. */
const fixed = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(new ArrayBuffer(size));
const written = fixed(4), additional = fixed(16), tag = fixed(GCM_TAG);

/** What all of them have: a context, freed once. */
class Context implements Disposable {
  protected readonly crypto: Crypto;
  /** Null once freed. */
  #pointer: Deno.PointerValue;

  constructor(kind: (crypto: Crypto) => Deno.PointerValue, key: Uint8Array<ArrayBuffer>, direction: number) {
    const { crypto } = openssl();
    this.crypto = crypto;
    this.#pointer = crypto.EVP_CIPHER_CTX_new();
    if (this.#pointer === null) throw new GateError("exhausted", "gate", "Cannot make a cipher: no memory");
    liveCiphers.count++;
    this.demand(crypto.EVP_CipherInit_iv(this.#pointer, kind(crypto), null, key, null, direction));
  }

  protected get live(): Deno.PointerObject {
    if (this.#pointer !== null) return this.#pointer;
    throw new GateError("internal", "gate", "Cannot use a cipher: it was freed");
  }

  protected demand(result: number): void {
    if (result === 1) return;
    this[Symbol.dispose]();
    throw new GateError("internal", "gate", `Cannot use a cipher: ${takeError(openssl()).text}`);
  }

  /** The second time it does nothing. */
  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.crypto.EVP_CIPHER_CTX_free(this.#pointer);
    this.#pointer = null;
    liveCiphers.count--;
  }
}

/** AES in Galois/Counter mode (NIST SP 800-38D), by a key of 16 or 32 bytes. */
export class AesGcm extends Context {
  readonly #direction: number;

  constructor(key: Uint8Array, seals: boolean) {
    const direction = seals ? SEALS : OPENS;
    const kind = (crypto: Crypto) => key.length === 16 ? crypto.EVP_aes_128_gcm() : crypto.EVP_aes_256_gcm();
    super(kind, owned(key), direction);
    this.#direction = direction;
  }

  /**
   * Seals `size` bytes behind the `clear` ones (at most 16) at `at`, which are authenticated too; the tag goes behind
   * both. No IV may come twice.
   */
  seal(iv: Uint8Array<ArrayBuffer>, bytes: Uint8Array, at: number, clear: number, size: number): void {
    const { crypto, live } = this;
    const body = this.#begin(iv, bytes, at, clear);
    this.demand(crypto.EVP_CipherUpdate(live, body, written, body, size));
    this.demand(crypto.EVP_CipherFinal_ex(live, written, written));
    this.demand(crypto.EVP_CIPHER_CTX_ctrl(live, CTRL_GET_TAG, GCM_TAG, tag));
    for (let i = 0, to = at + clear + size; i < GCM_TAG; i++) bytes[to + i] = tag[i];
  }

  /** The same backwards; false: the tag is another one, and what is there now is nonsense. */
  open(iv: Uint8Array<ArrayBuffer>, bytes: Uint8Array, at: number, clear: number, size: number): boolean {
    const { crypto, live } = this;
    for (let i = 0, from = at + clear + size; i < GCM_TAG; i++) tag[i] = bytes[from + i];
    const body = this.#begin(iv, bytes, at, clear);
    this.demand(crypto.EVP_CipherUpdate(live, body, written, body, size));
    this.demand(crypto.EVP_CIPHER_CTX_ctrl(live, CTRL_SET_TAG, GCM_TAG, tag));
    return crypto.EVP_CipherFinal_ex(live, written, written) === 1;
  }

  #begin(iv: Uint8Array<ArrayBuffer>, bytes: Uint8Array, at: number, clear: number): Uint8Array<ArrayBuffer> {
    const { crypto, live } = this;
    this.demand(crypto.EVP_CipherInit_iv(live, null, null, null, iv, this.#direction));
    for (let i = 0; i < clear; i++) additional[i] = bytes[at + i];
    this.demand(crypto.EVP_CipherUpdate(live, null, written, additional, clear));
    return owned(bytes.subarray(at + clear));
  }
}

/** A key stream that bytes are XORed with: sealing and opening are one. */
class StreamCipher extends Context {
  /** From here on under another IV. */
  begin(iv: Uint8Array<ArrayBuffer>): void {
    this.demand(this.crypto.EVP_CipherInit_iv(this.live, null, null, null, iv, SEALS));
  }

  /** The next `size` bytes of the stream, over the first ones of `bytes`. */
  apply(bytes: Uint8Array<ArrayBuffer>, size: number): void {
    this.demand(this.crypto.EVP_CipherUpdate(this.live, bytes, written, bytes, size));
  }
}

/** AES in counter mode (NIST SP 800-38A 6.5), by a key of 16, 24 or 32 bytes; the counter goes on from packet to packet. */
export class AesCtr extends StreamCipher {
  constructor(key: Uint8Array, iv: Uint8Array) {
    super((crypto) => aesCtr(crypto, key.length), owned(key), SEALS);
    this.begin(owned(iv));
  }
}

function aesCtr(crypto: Crypto, size: number): Deno.PointerValue {
  if (size === 16) return crypto.EVP_aes_128_ctr();
  return size === 24 ? crypto.EVP_aes_192_ctr() : crypto.EVP_aes_256_ctr();
}

/** By a key of 32 bytes; its IV is a counter of blocks of 64 bytes, 8 bytes little-endian, and a nonce of 8. */
export class ChaCha20 extends StreamCipher {
  constructor(key: Uint8Array) {
    super((crypto) => crypto.EVP_chacha20(), owned(key), SEALS);
  }
}

/**
 * Whether libcrypto has instructions of this CPU for AES and GHASH: without them AES costs four times as much as
 * ChaCha20.
 */
export function hasAesInstructions(): boolean {
  return aesIn(textAt(openssl().crypto.OPENSSL_info(CPU_SETTINGS)));
}

/** crypto.h: OPENSSL_INFO_CPU_SETTINGS */
const CPU_SETTINGS = 1008;
// cpuid.h of x86: PCLMULQDQ and AESNI in ECX, which is the first word's upper half. arm_arch.h: AES and PMULL.
const X86 = 1n << 33n | 1n << 57n, ARM = 1n << 2n | 1n << 5n;

/** `OPENSSL_ia32cap=0x7ffaf3bfffebffff:0x18c05fdef3bfa7eb` or `OPENSSL_armcap=0xbd`, as libcrypto says it. */
export function aesIn(settings: string): boolean {
  const [, kind, word] = /^OPENSSL_(ia32|arm)cap=(?:env:)?(0x[0-9a-f]{1,16})/.exec(settings) ?? ["", "", "0"];
  const needed = kind === "arm" ? ARM : X86;
  return (BigInt(word) & needed) === needed;
}

/** FFI takes no views of shared memory; nothing of ours is shared. */
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => bytes as Uint8Array<ArrayBuffer>;
