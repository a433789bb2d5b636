/** What the gate itself answers to a request: a status, one sentence, and the end of the connection. */
import type { Failure, GateError } from "../../gate/errors.ts";
import { dateLine } from "./date.ts";
import { type OwnAnswer, writeOwnAnswer } from "./own_answer.ts";

const encoder = new TextEncoder();

/** The client learns what happened, and nothing of the inside. */
const SENTENCE: Readonly<Record<Failure, string>> = {
  malformed: "The request cannot be understood.",
  unsupported: "The request asks for something that is not served here.",
  unauthenticated: "A valid user name and password are needed.",
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
  404: "Nothing is served here under this name and path.",
  405: "This method is not allowed here.",
  408: "The request did not come in time.",
  413: "The request has more content than is allowed here.",
  414: "The URL of the request is too long.",
  421: "This connection is for another host: ask again on one of its own.",
  429: "There were too many requests: come again later.",
  431: "The head of the request is too large.",
  503: "There is no room for this now: come again later.",
};
/** What the destination said, or a proxy on the way there: the request was right. */
const SENTENCE_OF_502: Partial<Readonly<Record<Failure, string>>> = {
  malformed: "The destination gave no answer that can be understood.",
  unsupported: "The destination gave no answer that can be understood.",
  unauthenticated: "The destination cannot be reached.",
  denied: "The destination cannot be reached.",
};
const BAD_GATEWAY = 502, UNAVAILABLE = 503;
/** RFC 9110 10.2.3: for who is not told otherwise, seconds. */
const COME_AGAIN = "Retry-After: 5";

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
  /** In place of the failure's own. */
  readonly sentence?: string;
  /** What is said behind it. */
  readonly told?: string;
  /** Whole lines of the head, without CRLF. */
  readonly fields?: readonly string[];
}

/** What a client is told of a failure, in plain text. */
export function failureAnswer(
  status: number,
  failure: Failure,
  { sentence = sentenceOf(status, failure), told, fields = [] }: Words = {},
): OwnAnswer {
  const text = told === undefined ? sentence : `${sentence.slice(0, -1)}: ${told}.`;
  const again = status === UNAVAILABLE && !fields.some((line) => line.startsWith("Retry-After:"));
  return {
    status,
    fields: ["Content-Type: text/plain; charset=utf-8", ...fields, ...again ? [COME_AGAIN] : []],
    body: encoder.encode(`${failure}: ${text}\n`),
  };
}

function sentenceOf(status: number, failure: Failure): string {
  const ofUpstream = status === BAD_GATEWAY ? SENTENCE_OF_502[failure] : undefined;
  return ofUpstream ?? SENTENCE_OF_STATUS[status] ?? SENTENCE[failure];
}

/** The same as a whole response behind which the connection ends. `head`: without its body, as HEAD wants it. */
export function plainAnswer(
  status: number,
  failure: Failure,
  { head = false, ...words }: Words & { readonly head?: boolean } = {},
): Uint8Array {
  const answer = failureAnswer(status, failure, words);
  return writeOwnAnswer({ ...answer, fields: [dateLine(), ...answer.fields] }, { head, stays: false });
}
