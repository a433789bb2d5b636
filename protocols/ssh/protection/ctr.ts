/**
 * AES-CTR (RFC 4344 4) with HMAC of SHA-2 (RFC 6668), for old peers: the MAC of what is sealed where the peer knows that
 * (`-etm@openssh.com`, PROTOCOL 1.5), else of what is not sealed yet.
 */
import { AesCtr } from "../../../gate/engine/openssl_ciphers.ts";
import { type Mac, MAC_SIZE, macOf } from "../../../gate/engine/openssl_macs.ts";
import { putUint32, uint32At } from "../wire.ts";
import { frame, LENGTH, type Opener, overheadOf, type Sealer } from "./protection.ts";

const BLOCK = 16;

/** How packets are authenticated: `afterwards`, the MAC is of what was sealed, and the length stays in clear. */
export interface Authentication {
  readonly kind: "hmac-sha256" | "hmac-sha512";
  readonly key: Uint8Array;
  readonly afterwards: boolean;
}

const counter = new Uint8Array(new ArrayBuffer(4)); // a small array without a buffer may be moved

class Ctr implements Disposable {
  protected readonly cipher: AesCtr;
  protected readonly afterwards: boolean;
  /** Bytes before padding_length that are in the multiple of the block: all that is sealed. */
  readonly counted: number;
  readonly tag: number;
  readonly #mac: Mac;
  readonly #key: Uint8Array<ArrayBuffer>;

  constructor(key: Uint8Array, iv: Uint8Array, { kind, key: macKey, afterwards }: Authentication) {
    this.cipher = new AesCtr(key, iv);
    this.afterwards = afterwards;
    this.counted = afterwards ? 0 : LENGTH;
    this.tag = MAC_SIZE[kind];
    this.#mac = macOf(kind);
    this.#key = macKey.slice();
  }

  /** MAC(key, sequence number, the bytes at `at`) (RFC 4253 6.4). */
  protected authenticate(bytes: Uint8Array, at: number, size: number, sequence: number): Mac {
    putUint32(counter, 0, sequence);
    this.#mac.begin(this.#key);
    this.#mac.add(counter, counter.length);
    this.#mac.add(bytes.subarray(at) as Uint8Array<ArrayBuffer>, size);
    this.#mac.finish();
    return this.#mac;
  }

  protected cross(bytes: Uint8Array, at: number, size: number): void {
    this.cipher.apply(bytes.subarray(at) as Uint8Array<ArrayBuffer>, size);
  }

  [Symbol.dispose](): void {
    this.cipher[Symbol.dispose]();
    this.#key.fill(0);
  }
}

export class CtrSealer extends Ctr implements Sealer {
  get overhead(): number {
    return overheadOf(BLOCK, this.tag);
  }

  seal(bytes: Uint8Array, at: number, size: number, sequence: number): number {
    const whole = LENGTH + frame(bytes, at, size, BLOCK, this.counted);
    if (this.afterwards) {
      this.cross(bytes, at + LENGTH, whole - LENGTH);
      bytes.set(this.authenticate(bytes, at, whole, sequence).code, at + whole);
    } else {
      bytes.set(this.authenticate(bytes, at, whole, sequence).code, at + whole);
      this.cross(bytes, at, whole);
    }
    return whole + this.tag;
  }
}

export class CtrOpener extends Ctr implements Opener {
  readonly block = BLOCK;

  /** Where the length is sealed it is opened in its place. */
  length(bytes: Uint8Array, at: number): number {
    if (!this.afterwards) this.cross(bytes, at, LENGTH);
    return uint32At(bytes, at);
  }

  open(bytes: Uint8Array, at: number, length: number, sequence: number): boolean {
    const whole = LENGTH + length;
    if (!this.afterwards) this.cross(bytes, at + LENGTH, length);
    const authentic = this.authenticate(bytes, at, whole, sequence).matches(bytes, at + whole);
    if (authentic && this.afterwards) this.cross(bytes, at + LENGTH, length);
    return authentic;
  }
}
