/** The first head of a connection that goes on whole: read once, and only for what is asked of it. */
import type { Fault } from "./faults.ts";
import { ASKED } from "./framing.ts";
import { MessageHead } from "./message_head.ts";
import { parseRequest, parseResponse } from "./parse_head.ts";

/** One per thread: it holds during one synchronous call. */
const HEAD = new MessageHead();

/** What `take` makes of a head whose octets are there during its call only; `used` of them are consumed. */
type Take<T> = (head: MessageHead, bytes: Uint8Array) => T;

/** For `next` of a client's stream: its request's head, of at most `limit` octets. */
export function firstRequest<T extends object>(
  limit: number,
  take: Take<T>,
): (bytes: Uint8Array) => T | Fault | number {
  return firstHead(
    (bytes, looked) => parseRequest(HEAD, bytes, 0, bytes.length, limit, looked),
    take,
  );
}

/** For `next` of a proxy's stream: the head of its response to CONNECT. */
export function connectResponse<T extends object>(
  limit: number,
  take: Take<T>,
): (bytes: Uint8Array) => T | Fault | number {
  return firstHead(
    (bytes, looked) => parseResponse(HEAD, bytes, 0, bytes.length, limit, ASKED.connect, looked),
    take,
  );
}

function firstHead<T extends object>(
  parse: (bytes: Uint8Array, looked: number) => MessageHead | Fault | number,
  take: Take<T>,
): (bytes: Uint8Array) => T | Fault | number {
  let looked = 0;
  return (bytes) => {
    const answer = parse(bytes, looked);
    if (typeof answer === "number") looked = bytes.length;
    return answer === HEAD ? take(HEAD, bytes) : answer as Fault | number;
  };
}
