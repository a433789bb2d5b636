/** What the gate itself answers to a request: a status, one sentence, and the end of the connection. */
import type { Failure, GateError } from "../../gate/errors.ts";

const encoder = new TextEncoder();

/** RFC 9110 15. */
const REASON: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  421: "Misdirected Request",
  407: "Proxy Authentication Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** The client learns what happened, and nothing of the inside. */
const SENTENCE: Readonly<Record<Failure, string>> = {
  malformed: "The request cannot be understood.",
  unsupported: "The request asks for something that is not served here.",
  unauthenticated: "A user name and a password are needed.",
  denied: "The request is not allowed.",
  "no-route": "Nobody here knows this destination.",
  refused: "The destination refused the connection.",
  unreachable: "The destination cannot be reached.",
  timeout: "The destination did not answer in time.",
  reset: "The destination cut the connection.",
  closed: "The destination closed the connection.",
  exhausted: "There is no room for another connection.",
  internal: "The gateway made a mistake.",
};

/** By failure; what differs from protocol to protocol is theirs to say. */
export const STATUS: Readonly<Record<Failure, number>> = {
  malformed: 400,
  unsupported: 501,
  unauthenticated: 407,
  denied: 403,
  "no-route": 502,
  refused: 502,
  unreachable: 502,
  timeout: 504,
  reset: 502,
  closed: 502,
  exhausted: 503,
  internal: 500,
};

/** The status of a failure: what is wrong between this gate and an upstream proxy is no fault of the request. */
export function statusOf({ failure, side }: GateError, status: typeof STATUS): number {
  const ours = side === "upstream" &&
    (failure === "malformed" || failure === "unsupported" || failure === "unauthenticated");
  return ours ? 502 : status[failure];
}

/** A whole response in plain text. `head`: without its body, as HEAD wants it. `stays`: the connection does. */
export function plainAnswer(
  status: number,
  failure: Failure,
  { sentence = SENTENCE[failure], fields = [], head = false, stays = false }: {
    sentence?: string;
    fields?: readonly string[];
    head?: boolean;
    stays?: boolean;
  } = {},
): Uint8Array {
  const body = encoder.encode(`${failure}: ${sentence}\n`);
  const lines = [
    `HTTP/1.1 ${status} ${REASON[status]}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    ...stays ? [] : ["Connection: close"],
    ...fields,
  ];
  const start = encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (head) return start;
  const whole = new Uint8Array(start.length + body.length);
  whole.set(start);
  whole.set(body, start.length);
  return whole;
}
