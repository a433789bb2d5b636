/**
 * Tickets of TLS sessions under keys that threads share: sealed under the newest one, opened under any, so that other
 * keys cost nobody a full handshake. libssl by itself knows one key at a time.
 */
import { randomFillSync } from "node:crypto";
import { GateError } from "../errors.ts";
import { cString, type OpenSsl } from "./openssl_library.ts";

/** Bytes of a key: its name, and what seals and what authenticates a ticket (RFC 5077 4). */
export const TICKET_KEY_SIZE = 80;
const NAME = 16, CIPHER_KEY = 32, IV = 16;

/** As bytes of their own. */
export interface TicketKey {
  readonly name: Uint8Array;
  readonly cipher: Uint8Array<ArrayBuffer>;
  readonly mac: Uint8Array<ArrayBuffer>;
}

const SEAL = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "pointer", "i32"],
  result: "i32",
} as const;
// What the callback answers (SSL_CTX_set_tlsext_ticket_key_evp_cb).
const FAILED = -1, UNKNOWN = 0, SEALED = 1, OPENED = 1, OPENED_BY_AN_OLD_ONE = 2;

interface Sealing {
  readonly library: OpenSsl;
  readonly callback: Deno.UnsafeCallback<typeof SEAL>;
  readonly parameters: Deno.PointerValue;
}

let sealing: Sealing | undefined;
/** Of the connection whose handshake goes on, the newest first. */
let current: readonly TicketKey[] = [];

/** One or several of 80 bytes, the newest first. Throws GateError "internal" for anything else. */
export function ticketKeysOf(bytes: Uint8Array): readonly TicketKey[] {
  if (bytes.length === 0 || bytes.length % TICKET_KEY_SIZE > 0) {
    const state = `${bytes.length} bytes are no keys of ${TICKET_KEY_SIZE}`;
    throw new GateError("internal", "gate", `Cannot set ticket keys: ${state}`);
  }
  return Array.from({ length: bytes.length / TICKET_KEY_SIZE }, (_, i) => {
    const key = bytes.slice(i * TICKET_KEY_SIZE, (i + 1) * TICKET_KEY_SIZE);
    const macAt = NAME + CIPHER_KEY;
    return { name: key.subarray(0, NAME), cipher: key.slice(NAME, macAt), mac: key.slice(macAt) };
  });
}

/** Tickets of this context are sealed and opened here. */
export function sealTicketsHere(library: OpenSsl, context: Deno.PointerObject): void {
  sealing ??= { library, callback: new Deno.UnsafeCallback(SEAL, seal), parameters: digestParameter() };
  library.ssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(context, sealing.callback.pointer);
}

/** To be called before each step of a handshake: these are the connection's keys. */
export function sealUnder(keys: readonly TicketKey[]): void {
  current = keys;
}

/** Called inside SSL_do_handshake: readies the contexts of cipher and MAC with which libssl seals or opens a ticket. */
function seal(
  _ssl: Deno.PointerValue,
  name: Deno.PointerValue,
  iv: Deno.PointerValue,
  cipher: Deno.PointerValue,
  mac: Deno.PointerValue,
  sealed: number,
): number {
  const { library: { crypto }, parameters } = sealing!;
  if (name === null || iv === null || current.length === 0) return sealed ? FAILED : UNKNOWN;
  const wanted = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(name, NAME));
  const at = sealed ? 0 : current.findIndex((key) => key.name.every((byte, i) => byte === wanted[i]));
  if (at < 0) return UNKNOWN;
  const key = current[at];
  if (sealed) {
    wanted.set(key.name);
    randomFillSync(new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(iv, IV)));
  }
  const ready =
    crypto.EVP_CipherInit_ex(cipher, crypto.EVP_aes_256_cbc(), null, key.cipher, iv, sealed) === 1 &&
    crypto.EVP_MAC_init(mac, key.mac, BigInt(key.mac.length), parameters) === 1;
  if (!ready) return FAILED;
  if (sealed) return SEALED;
  return at === 0 ? OPENED : OPENED_BY_AN_OLD_ONE;
}

// core.h: struct ossl_param_st { key, data_type, data, data_size, return_size }, and an end without a key.
const PARAM_SIZE = 40, UTF8_STRING = 4, DATA_TYPE = 8, DATA = 16, DATA_SIZE = 24;
/** What the parameter points to must stay where it is. */
const places: Uint8Array<ArrayBuffer>[] = [];

/** HMAC with SHA-256, as EVP_MAC_init wants to be told. */
function digestParameter(): Deno.PointerValue {
  const fixed = (bytes: Uint8Array): bigint => {
    const place = new Uint8Array(new ArrayBuffer(bytes.length)); // a small array without a buffer may be moved
    place.set(bytes);
    places.push(place);
    return Deno.UnsafePointer.value(Deno.UnsafePointer.of(place));
  };
  const value = cString("SHA256"), params = new DataView(new ArrayBuffer(2 * PARAM_SIZE));
  params.setBigUint64(0, fixed(cString("digest")), true);
  params.setUint32(DATA_TYPE, UTF8_STRING, true);
  params.setBigUint64(DATA, fixed(value), true);
  params.setBigUint64(DATA_SIZE, BigInt(value.length - 1), true);
  return Deno.UnsafePointer.create(fixed(new Uint8Array(params.buffer)));
}
