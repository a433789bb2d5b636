/** What libcrypto is told by name (core.h: struct ossl_param_st). */
import { cString } from "./openssl_library.ts";

// { key, data_type, data, data_size, return_size }, and an end without a key.
const PARAM_SIZE = 40, UTF8_STRING = 4, DATA_TYPE = 8, DATA = 16, DATA_SIZE = 24;
/** What a parameter points to must stay where it is. */
const places: Uint8Array<ArrayBuffer>[] = [];

/** One parameter that is a text. It stays for good: made once for each use, not for each call. */
export function textParameter(key: string, text: string): Uint8Array<ArrayBuffer> {
  const value = cString(text), parameters = fixed(new Uint8Array(2 * PARAM_SIZE));
  const view = new DataView(parameters.buffer);
  view.setBigUint64(0, addressOf(fixed(cString(key))), true);
  view.setUint32(DATA_TYPE, UTF8_STRING, true);
  view.setBigUint64(DATA, addressOf(fixed(value)), true);
  view.setBigUint64(DATA_SIZE, BigInt(value.length - 1), true);
  return parameters;
}

function fixed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const place = new Uint8Array(new ArrayBuffer(bytes.length)); // a small array without a buffer may be moved
  place.set(bytes);
  places.push(place);
  return place;
}

const addressOf = (bytes: Uint8Array<ArrayBuffer>): bigint =>
  Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
