/** What is counted when it bites; README.md and docs/operating.md tell of each. */
export const LIMIT_NAMES = [
  ...["connections", "listener", "perSource", "listenerPerSource", "reserve", "descriptors"] as const,
  ...["sniffTimeout", "handshakeTimeout", "dialTimeout", "idleTimeout", "headSize"] as const,
  ...["headTimeout", "bodyTimeout", "bodySize", "rateLimit", "mirror", "names", "passwords"] as const,
  "channels",
] as const;
export type LimitName = typeof LIMIT_NAMES[number];

/** Why a connection or a request failed: the closed list that every protocol maps to its own words. */
export const FAILURES = [
  "malformed", // the peer broke its protocol
  "unsupported", // well-formed, but nothing this gate does
  "unauthenticated", // no user, or a wrong password
  "denied", // policy, `sources` or an own listener
  "no-route", // no route, or nobody knows the name
  "refused", // the target's machine answered, nobody listens
  "unreachable", // no way to the target's machine
  "timeout",
  "reset", // the peer aborted
  "closed", // the peer, or this gate, ended it early
  "exhausted", // a limit, descriptors or memory
  "internal", // a mistake of this program
] as const;
export type Failure = typeof FAILURES[number];

/** Who caused it: who connected to us, whom we connected to, or this gate itself. */
export type Side = "client" | "upstream" | "gate";

/**
 * The one error that crosses module borders. `message` reads `Cannot <act>: <state>`. It is an Error by its prototype
 * alone: making one of V8's takes 10 us, for its stack, and failures of others come in floods. A mistake of ours has one.
 */
export class GateError implements Error {
  readonly name = "GateError";
  readonly stack: string | undefined;
  /** Which limit it met: counted under this name. */
  limit: LimitName | undefined;
  /** What who asked may hear of it beside the failure: the end of a sentence, and nothing of the inside. */
  told: string | undefined;
  constructor(
    readonly failure: Failure,
    readonly side: Side,
    readonly message: string,
    readonly cause?: unknown,
  ) {
    this.stack = failure === "internal" ? new Error(message).stack : undefined;
  }
}
Object.setPrototypeOf(GateError.prototype, Error.prototype);

/** A request came over a connection whose TLS was for somebody else than its host (RFC 9110 15.5.20). */
export class Misdirected extends GateError {}

/** Its name is one that a connection offers, and no such connection is there now. */
export class NotConnected extends GateError {}

/** The error, met at a limit. */
export function atLimit(limit: LimitName, error: GateError): GateError {
  error.limit = limit;
  return error;
}

/** The error, of which who asked hears so much. */
export function telling(told: string, error: GateError): GateError {
  error.told = told;
  return error;
}

/** The same, with where in the configuration what it is about is written. */
export function placed(place: string | undefined, thrown: unknown): unknown {
  if (place === undefined || !(thrown instanceof GateError)) return thrown;
  return new GateError(thrown.failure, thrown.side, `${place}: ${thrown.message}`, thrown.cause);
}

/** Anything thrown, as a GateError; what is none is a mistake of ours. */
export function asGateError(thrown: unknown): GateError {
  if (thrown instanceof GateError) return thrown;
  return new GateError("internal", "gate", "Cannot go on: an unexpected error", thrown);
}

/** The sentences of an error and of its causes, outermost first. */
export function causeChain(thrown: unknown): string {
  const sentences: string[] = [];
  for (
    let e = thrown;
    e !== undefined && sentences.length < 8;
    e = e instanceof Error ? e.cause : undefined
  ) {
    sentences.push(e instanceof Error ? e.message : String(e));
  }
  return sentences.join(": ");
}
