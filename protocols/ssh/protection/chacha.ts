/**
 * chacha20-poly1305@openssh.com (PROTOCOL.chacha20poly1305): the length under a key of its own, the nonce is the
 * sequence number.
 */
import { ChaCha20, STREAM_IV } from "../../../gate/engine/openssl_ciphers.ts";
import { MAC_SIZE, macOf } from "../../../gate/engine/openssl_macs.ts";
import { putUint32, uint32At } from "../wire.ts";
import { frame, LENGTH, type Opener, overheadOf, type Sealer } from "./protection.ts";

const BLOCK = 8, TAG = MAC_SIZE.poly1305;
/** Of each of the two keys, the one for packets first. */
const KEY = 32;
/** The stream's first block: Poly1305's key is its beginning, the rest is not used. */
const STREAM_BLOCK = 64;

// Of the thread: each call writes them before it reads them. A small array without a buffer may be moved.
const fixed = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(new ArrayBuffer(size));
const iv = fixed(STREAM_IV), head = fixed(LENGTH), block = fixed(STREAM_BLOCK);
const macKey = block.subarray(0, KEY);

class ChaCha implements Disposable {
  readonly #body: ChaCha20;
  readonly #head: ChaCha20;

  constructor(key: Uint8Array) {
    this.#body = new ChaCha20(key.subarray(0, KEY));
    this.#head = new ChaCha20(key.subarray(KEY, 2 * KEY));
  }

  /** Seals or opens the length at `at` into `head`. */
  protected crossLength(bytes: Uint8Array, at: number, sequence: number): void {
    putUint32(iv, STREAM_IV - 4, sequence);
    for (let i = 0; i < LENGTH; i++) head[i] = bytes[at + i];
    this.#head.begin(iv);
    this.#head.apply(head, LENGTH);
  }

  /** From here on the stream is this packet's; Poly1305's key is in its place. */
  protected begin(sequence: number): void {
    putUint32(iv, STREAM_IV - 4, sequence);
    this.#body.begin(iv);
    block.fill(0);
    this.#body.apply(block, STREAM_BLOCK);
  }

  protected crossBody(bytes: Uint8Array, at: number, size: number): void {
    this.#body.apply(bytes.subarray(at) as Uint8Array<ArrayBuffer>, size);
  }

  [Symbol.dispose](): void {
    this.#body[Symbol.dispose]();
    this.#head[Symbol.dispose]();
  }
}

/** The code of the bytes at `at`, the key of `begin` being in its place. */
function authenticate(bytes: Uint8Array, at: number, size: number): ReturnType<typeof macOf> {
  const mac = macOf("poly1305");
  mac.begin(macKey);
  mac.add(bytes.subarray(at) as Uint8Array<ArrayBuffer>, size);
  mac.finish();
  return mac;
}

export class ChaChaSealer extends ChaCha implements Sealer {
  readonly overhead = overheadOf(BLOCK, TAG);

  seal(bytes: Uint8Array, at: number, size: number, sequence: number): number {
    const length = frame(bytes, at, size, BLOCK, 0);
    this.crossLength(bytes, at, sequence);
    for (let i = 0; i < LENGTH; i++) bytes[at + i] = head[i];
    this.begin(sequence);
    this.crossBody(bytes, at + LENGTH, length);
    bytes.set(authenticate(bytes, at, LENGTH + length).code, at + LENGTH + length);
    return LENGTH + length + TAG;
  }
}

export class ChaChaOpener extends ChaCha implements Opener {
  readonly block = BLOCK;
  readonly counted = 0;
  readonly tag = TAG;

  length(bytes: Uint8Array, at: number, sequence: number): number {
    this.crossLength(bytes, at, sequence);
    return uint32At(head, 0);
  }

  open(bytes: Uint8Array, at: number, length: number, sequence: number): boolean {
    this.begin(sequence);
    const mac = authenticate(bytes, at, LENGTH + length);
    if (!mac.matches(bytes, at + LENGTH + length)) return false;
    this.crossBody(bytes, at + LENGTH, length);
    return true;
  }
}
