/** Why a TLS connection broke, in the gate's words. */
import { type Failure, GateError, type Side } from "../../gate/errors.ts";
import type { Connection } from "../../gate/engine/openssl.ts";

// sslerr.h
const CERTIFICATE_VERIFY_FAILED = 134, PEER_DID_NOT_RETURN_A_CERTIFICATE = 199;
/** Nothing in common: key shares, signatures, ciphers, ALPN, versions, groups. */
const NOTHING_IN_COMMON = [101, 118, 193, 235, 258, 295, 297, 396, 410];
/** An alert of the peer is this and its number. */
const ALERT = 1000, LAST_ALERT = 1255;

const who = (side: Side): string => side === "upstream" ? "the upstream" : "the client";

/** Of a handshake, or of a record after it (`act`). */
export function failureOf(connection: Connection, side: Side, act: string): GateError {
  const { error: { reason, text }, distrust } = connection;
  if (reason === CERTIFICATE_VERIFY_FAILED) {
    return new GateError(
      distrusted(side),
      side,
      `Cannot believe the certificate of ${who(side)}: ${distrust}`,
    );
  }
  if (reason === PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return new GateError("unauthenticated", side, `Cannot ${act}: ${who(side)} has no certificate`);
  }
  if (reason >= ALERT && reason <= LAST_ALERT) {
    return new GateError("reset", side, `Cannot ${act}: ${who(side)} refused it (${text})`);
  }
  const failure = NOTHING_IN_COMMON.includes(reason) ? "unsupported" : "malformed";
  return new GateError(failure, side, `Cannot ${act}: ${text}`);
}

/** A client is not who it should be; of an upstream that is a failure of its machine, and not of our client's login. */
const distrusted = (side: Side): Failure => side === "upstream" ? "refused" : "unauthenticated";

/** FIN came where more had to. */
export function truncated(side: Side, established: boolean): GateError {
  return established
    ? new GateError("reset", side, `Cannot read on: ${who(side)} ended without close_notify`)
    : new GateError("closed", side, `Cannot finish a TLS handshake: ${who(side)} ended in the middle`);
}

export function flooded(side: Side, bytes: number): GateError {
  return new GateError(
    "malformed",
    side,
    `Cannot read on: more than ${bytes} bytes of TLS records said nothing`,
  );
}

/** Both sides have ended, and the peer does not read what was sent before. */
export function unread(side: Side): GateError {
  return new GateError("timeout", side, `Cannot end: ${who(side)} does not read the rest`);
}
