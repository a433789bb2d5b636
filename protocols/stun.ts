/** STUN and TURN over TCP told apart and passed on: RFC 8489 5 (RFC 5389 6), RFC 6062. */
import type { Protocol } from "../gate/contracts.ts";
import type { Verdict } from "../gate/streams.ts";
import { passOn } from "./common/pass_on.ts";

const MAGIC_COOKIE = [0x21, 0x12, 0xa4, 0x42];
const COOKIE_AT = 4;
const COOKIE_END = 8;

/**
 * A client opens with a request or an indication, whose class bits are 0 in the first byte, and every assigned method
 * fits the second: so the first byte is 0, as in no other protocol here. The length is a multiple of 4.
 */
function sniffStun(head: Uint8Array): Verdict {
  for (let at = 0; at < Math.min(head.length, COOKIE_END); at++) {
    const byte = head[at];
    if (at === 0 ? byte !== 0 : at === 3 && byte % 4 !== 0) return false;
    if (at >= COOKIE_AT && byte !== MAGIC_COOKIE[at - COOKIE_AT]) return false;
  }
  return head.length >= COOKIE_END || COOKIE_END;
}

export const stun: Protocol = { naming: "nothing", sniff: sniffStun, serve: passOn };
