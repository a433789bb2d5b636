/**
 * The keys of session tickets, which threads share: the newest seals, any opens, so that other keys cost nobody a full
 * handshake. libssl knows one key of a context at a time, and works with that by itself.
 */
import { GateError } from "../errors.ts";

/** Bytes of a key: its name, and what authenticates and what seals a ticket (RFC 5077 4), as SSL_CTX_ctrl has them. */
export const TICKET_KEY_SIZE = 80;
const NAME = 16;

export type TicketKey = Uint8Array<ArrayBuffer>;

/** One or several of 80 bytes, the newest first. Throws GateError "internal" for anything else. */
export function ticketKeysOf(bytes: Uint8Array): readonly TicketKey[] {
  if (bytes.length === 0 || bytes.length % TICKET_KEY_SIZE > 0) {
    const state = `${bytes.length} bytes are no keys of ${TICKET_KEY_SIZE}`;
    throw new GateError("internal", "gate", `Cannot set ticket keys: ${state}`);
  }
  return Array.from(
    { length: bytes.length / TICKET_KEY_SIZE },
    (_, i) => Uint8Array.from(bytes.subarray(i * TICKET_KEY_SIZE, (i + 1) * TICKET_KEY_SIZE)),
  );
}

/**
 * Under which of these keys a ticket lies in a ClientHello: one begins with its key's name. Whoever writes a name elsewhere
 * into a hello, or cuts one into two records, has a full handshake.
 */
export function keyNamedIn(
  keys: readonly TicketKey[],
  hello: Uint8Array,
  at: number,
  size: number,
): TicketKey | undefined {
  return keys.find((key) => {
    const last = at + size - NAME;
    for (let i = hello.indexOf(key[0], at); i >= 0 && i <= last; i = hello.indexOf(key[0], i + 1)) {
      let same = 1;
      while (same < NAME && hello[i + same] === key[same]) same++;
      if (same === NAME) return true;
    }
    return false;
  });
}
