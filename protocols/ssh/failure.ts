/** Why an SSH connection broke, in the gate's words, and what the peer is told of it. */
import { type Failure, GateError, type Side } from "../../gate/errors.ts";
import * as numbers from "./numbers.ts";

/** Codes of RFC 4250 4.2. */
const CODE: Readonly<Record<Failure, number>> = {
  malformed: numbers.PROTOCOL_ERROR,
  unsupported: numbers.KEY_EXCHANGE_FAILED,
  unauthenticated: numbers.NO_MORE_AUTH_METHODS,
  denied: numbers.HOST_NOT_ALLOWED,
  "no-route": numbers.BY_APPLICATION,
  refused: numbers.BY_APPLICATION,
  unreachable: numbers.BY_APPLICATION,
  timeout: numbers.BY_APPLICATION,
  reset: numbers.CONNECTION_LOST,
  closed: numbers.BY_APPLICATION,
  exhausted: numbers.TOO_MANY_CONNECTIONS,
  internal: numbers.BY_APPLICATION,
};

/** What the peer may know: the rest is for the log. */
const WORDS: Readonly<Record<number, string>> = {
  [numbers.HOST_NOT_ALLOWED]: "not allowed",
  [numbers.PROTOCOL_ERROR]: "protocol error",
  [numbers.KEY_EXCHANGE_FAILED]: "nothing in common",
  [numbers.MAC_ERROR]: "message authentication failed",
  [numbers.SERVICE_NOT_AVAILABLE]: "no such service",
  [numbers.VERSION_NOT_SUPPORTED]: "version not supported",
  [numbers.HOST_KEY_NOT_VERIFIABLE]: "host key not verifiable",
  [numbers.TOO_MANY_CONNECTIONS]: "too much",
  [numbers.NO_MORE_AUTH_METHODS]: "no more authentication methods",
};

/** A failure that the peer is told another code of than its kind has. */
export class SshError extends GateError {
  constructor(readonly code: number, failure: Failure, side: Side, message: string) {
    super(failure, side, message);
  }
}

/** The code and the words for a peer. */
export function toldTo(reason: GateError): { readonly code: number; readonly words: string } {
  const code = reason instanceof SshError ? reason.code : CODE[reason.failure];
  return { code, words: WORDS[code] ?? "closed" };
}

export const who = (side: Side): string => side === "upstream" ? "the server" : "the client";

/** The peer broke the protocol. */
export const malformed = (side: Side, act: string, state: string): GateError =>
  new GateError("malformed", side, `Cannot ${act}: ${state}`);

export const notAuthentic = (side: Side): GateError =>
  new SshError(
    numbers.MAC_ERROR,
    "malformed",
    side,
    `Cannot open an SSH packet of ${who(side)}: it is not authentic`,
  );

/** FIN came. Some clients end so; what was under way in channels is cut off all the same. */
export const ended = (side: Side, secured: boolean): GateError =>
  secured
    ? new GateError("closed", side, `Cannot go on: ${who(side)} ended without a disconnect`)
    : new GateError("closed", side, `Cannot finish an SSH key exchange: ${who(side)} ended in the middle`);

/** DISCONNECT came. */
export const disconnected = (side: Side, code: number, words: string): GateError =>
  new SshError(
    code,
    "closed",
    side,
    `Cannot go on: ${who(side)} disconnected (${code}, ${JSON.stringify(words)})`,
  );

/** Of what a peer wrote for people, in logs: one line, not long, nothing that moves a cursor. */
export const harmless = (text: string): string =>
  text.slice(0, 200).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
