/** The first request of a connection that goes on whole: read once, and only for what is asked of it. */
import type { Fault } from "./faults.ts";
import { MessageHead } from "./message_head.ts";
import { parseRequest } from "./parse_head.ts";

/** One per thread: it holds during one synchronous call. */
const HEAD = new MessageHead();

/**
 * For `next` of a client's stream: a request's head, of at most `limit` octets. `take` makes of it what is asked, during
 * a call in which its octets are there; it says how many of them are used.
 */
export function firstRequest<T extends object>(
  limit: number,
  take: (head: MessageHead, bytes: Uint8Array) => T,
): (bytes: Uint8Array) => T | Fault | number {
  let looked = 0;
  return (bytes) => {
    const answer = parseRequest(HEAD, bytes, 0, bytes.length, limit, looked);
    if (typeof answer === "number") looked = bytes.length;
    return answer === HEAD ? take(HEAD, bytes) : answer as Fault | number;
  };
}
