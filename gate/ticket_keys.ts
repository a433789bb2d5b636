/** The keys under which TLS sessions are put into tickets: made on main, for all engines resume each other's. */
import { TICKET_KEY_SIZE } from "./engine/openssl_tickets.ts";

/** Whoever gets hold of a key can read what was sent under it, so one seals for so long alone, ms, and then opens. */
export const TICKET_KEY_HOLDS = 12 * 60 * 60 * 1000;

/** A new key in front of the one that was the newest until now. */
export function nextTicketKeys(before: Uint8Array = new Uint8Array()): Uint8Array {
  const newest = crypto.getRandomValues(new Uint8Array(TICKET_KEY_SIZE));
  const keys = new Uint8Array(TICKET_KEY_SIZE + Math.min(TICKET_KEY_SIZE, before.length));
  keys.set(newest);
  keys.set(before.subarray(0, TICKET_KEY_SIZE), TICKET_KEY_SIZE);
  return keys;
}
