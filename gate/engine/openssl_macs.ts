/**
 * Message authentication codes of libcrypto: one context for each kind and thread, keyed anew for each message, so that a
 * connection owns none.
 */
import { GateError } from "../errors.ts";
import { cString, type OpenSsl, openssl, takeError } from "./openssl_library.ts";
import { textParameter } from "./openssl_parameters.ts";

/** HMAC (RFC 2104) with a hash of SHA-2; Poly1305 (RFC 8439 2.5), whose keys of 32 bytes serve one message. */
export type MacKind = "hmac-sha256" | "hmac-sha512" | "poly1305";

/** Bytes of a code. */
export const MAC_SIZE: Readonly<Record<MacKind, number>> = {
  "hmac-sha256": 32,
  "hmac-sha512": 64,
  "poly1305": 16,
};
const LONGEST = 64;

const length = new Uint8Array(new ArrayBuffer(8));
const macs = new Map<MacKind, Mac>();

/** The thread's own. Throws GateError "unsupported" without libcrypto. */
export function macOf(kind: MacKind): Mac {
  const known = macs.get(kind);
  if (known) return known;
  const made = new Mac(kind);
  macs.set(kind, made);
  return made;
}

export class Mac {
  /** The code that was made last: valid until the next one. */
  readonly code: Uint8Array<ArrayBuffer>;
  readonly #library: OpenSsl;
  readonly #context: Deno.PointerObject;
  readonly #parameters: Uint8Array<ArrayBuffer> | null;

  constructor(kind: MacKind) {
    const library = this.#library = openssl(), { crypto } = library;
    const name = kind === "poly1305" ? "POLY1305" : "HMAC";
    const mac = crypto.EVP_MAC_fetch(null, cString(name), null);
    const context = mac === null ? null : crypto.EVP_MAC_CTX_new(mac);
    if (context === null) {
      throw new GateError("unsupported", "gate", `Cannot authenticate messages: ${takeError(library).text}`);
    }
    this.#context = context;
    this.code = new Uint8Array(new ArrayBuffer(LONGEST)).subarray(0, MAC_SIZE[kind]);
    this.#parameters = kind === "poly1305" ? null : textParameter("digest", kind.slice("hmac-".length));
  }

  begin(key: Uint8Array<ArrayBuffer>): void {
    this.#demand(this.#library.crypto.EVP_MAC_key(this.#context, key, key.length, this.#parameters));
  }

  /** The first `size` bytes go in. */
  add(bytes: Uint8Array<ArrayBuffer>, size: number): void {
    this.#demand(this.#library.crypto.EVP_MAC_update(this.#context, bytes, size));
  }

  /** Into `code`. */
  finish(): void {
    const { code } = this;
    this.#demand(this.#library.crypto.EVP_MAC_final(this.#context, code, length, code.length));
  }

  /** Whether the code is what lies there: in a time that does not tell where they differ. */
  matches(bytes: Uint8Array, at: number): boolean {
    let different = 0;
    for (let i = 0; i < this.code.length; i++) different |= this.code[i] ^ bytes[at + i];
    return different === 0;
  }

  #demand(result: number): void {
    if (result === 1) return;
    throw new GateError(
      "internal",
      "gate",
      `Cannot authenticate a message: ${takeError(this.#library).text}`,
    );
  }
}
