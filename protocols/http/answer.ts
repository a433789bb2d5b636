/** What the gate itself answers to a request: a status, one sentence, and the end of the connection. */
import type { Failure, GateError } from "../../gate/errors.ts";
import { type OwnAnswer, writeOwnAnswer } from "./own_answer.ts";

const encoder = new TextEncoder();

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
/** Where the status tells more than the failure. */
const SENTENCE_OF_STATUS: Readonly<Record<number, string>> = {
  429: "There were too many requests: come again later.",
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

interface Words {
  readonly sentence?: string;
  /** Whole lines of the head, without CRLF. */
  readonly fields?: readonly string[];
}

/** What a client is told of a failure, in plain text. */
export function failureAnswer(
  status: number,
  failure: Failure,
  { sentence = SENTENCE_OF_STATUS[status] ?? SENTENCE[failure], fields = [] }: Words = {},
): OwnAnswer {
  const body = encoder.encode(`${failure}: ${sentence}\n`);
  return { status, fields: ["Content-Type: text/plain; charset=utf-8", ...fields], body };
}

/** The same as a whole response behind which the connection ends. `head`: without its body, as HEAD wants it. */
export function plainAnswer(
  status: number,
  failure: Failure,
  { head = false, ...words }: Words & { readonly head?: boolean } = {},
): Uint8Array {
  return writeOwnAnswer(failureAnswer(status, failure, words), { head, stays: false });
}
