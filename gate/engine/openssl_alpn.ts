/** Which protocol is spoken inside, chosen by a server in its own order (RFC 7301): OpenSSL asks a callback of ours. */
import type { OpenSsl } from "./openssl_library.ts";

interface Choice {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What contexts prefer, by the number that OpenSSL hands to the callback: lists are few, and never forgotten. */
const preferences: { readonly list: string; readonly choices: readonly Choice[] }[] = [];
let selecting: Deno.UnsafeCallback<typeof SELECT> | undefined;
const SELECT = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
  result: "i32",
} as const;
const SELECTED = 0, NONE_IN_COMMON = 2; // SSL_TLSEXT_ERR_OK, _ALERT_FATAL
let chosen = "";

/** `names`: the preferred one first. */
export function selectAlpn(library: OpenSsl, context: Deno.PointerObject, names: readonly string[]): void {
  const list = names.join("\n"), encoder = new TextEncoder();
  let at = preferences.findIndex((known) => known.list === list);
  if (at < 0) {
    at = preferences.length;
    preferences.push({ list, choices: names.map((name) => ({ name, bytes: encoder.encode(name) })) });
  }
  selecting ??= new Deno.UnsafeCallback(SELECT, select);
  library.ssl.SSL_CTX_set_alpn_select_cb(
    context,
    selecting.pointer,
    Deno.UnsafePointer.create(BigInt(at + 1)),
  );
}

/**
 * The thread ends, and no context of its own is used any more: a callback that outlives its thread keeps two descriptors
 * of the runtime's. Of a thread that hangs they are lost.
 */
export function endSelection(): void {
  selecting?.close();
  selecting = undefined;
}

/** What was chosen since this was asked last; empty: nothing. */
export function takeChosen(): string {
  const taken = chosen;
  chosen = "";
  return taken;
}

/** Called inside SSL_do_handshake. The answer points into the client's own list, which outlives it. */
function select(
  _ssl: Deno.PointerValue,
  out: Deno.PointerValue,
  outSize: Deno.PointerValue,
  offered: Deno.PointerValue,
  size: number,
  number: Deno.PointerValue,
): number {
  if (offered === null || out === null || outSize === null) return NONE_IN_COMMON;
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(offered, size));
  for (const choice of preferences[Number(Deno.UnsafePointer.value(number)) - 1].choices) {
    const at = placeOf(choice.bytes, bytes);
    if (at < 0) continue;
    const address = Deno.UnsafePointer.value(offered) + BigInt(at);
    new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(out, 8))[0] = address;
    new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(outSize, 1))[0] = choice.bytes.length;
    chosen = choice.name;
    return SELECTED;
  }
  return NONE_IN_COMMON;
}

/** Where a name stands in a list of names, each behind a byte that says its length; -1: nowhere. */
function placeOf(name: Uint8Array, list: Uint8Array): number {
  for (let at = 0; at < list.length; at += list[at] + 1) {
    let same = list[at] === name.length ? 0 : -1;
    while (same >= 0 && same < name.length) same = list[at + 1 + same] === name[same] ? same + 1 : -1;
    if (same === name.length) return at + 1;
  }
  return -1;
}
