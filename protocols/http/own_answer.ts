/** What the gate itself answers to a request in place of an upstream, and how a refusal is put into such an answer. */
import { type Failure, GateError, type Side } from "../../gate/errors.ts";
import { octets } from "./octets.ts";
import { reasonPhrase } from "./reasons.ts";

/** Without framing: how long it is and whether the connection stays is said when it is written. */
export interface OwnAnswer {
  readonly status: number;
  /** Whole lines of the head, without CRLF. */
  readonly fields: readonly string[];
  readonly body: Uint8Array;
}

/** A refusal whose answer says more than its failure does: a challenge, when to come again. */
export class RequestRefused extends GateError {
  /** What the client reads in place of the failure's own sentence. */
  sentence: string | undefined;

  constructor(
    readonly status: number,
    /** Whole lines of the head, without CRLF. */
    readonly fields: readonly string[],
    failure: Failure,
    side: Side,
    message: string,
    cause?: unknown,
  ) {
    super(failure, side, message, cause);
  }
}

/** RFC 9110 15.3.5, 15.4.5: these have no content, and no length of one. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

interface Asked {
  /** By HEAD: without its body. */
  readonly head: boolean;
  /** The connection goes on. */
  readonly stays: boolean;
  /** By which version of HTTP/1: an old one has to be told that the connection goes on. */
  readonly minor?: number;
}

/** The octets of the whole response. */
export function writeOwnAnswer(
  { status, fields, body }: OwnAnswer,
  { head, stays, minor = 1 }: Asked,
): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${reasonPhrase(status)}`,
    ...fields,
    ...BODILESS.has(status) ? [] : [`Content-Length: ${body.length}`],
    ...stays ? minor === 0 ? ["Connection: keep-alive"] : [] : ["Connection: close"],
  ];
  const start = octets(`${lines.join("\r\n")}\r\n\r\n`);
  if (head || BODILESS.has(status) || body.length === 0) return start;
  const whole = new Uint8Array(start.length + body.length);
  whole.set(start);
  whole.set(body, start.length);
  return whole;
}
