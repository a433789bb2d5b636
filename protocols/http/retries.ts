/** `retries`: whether a request that came to nothing is sent again. What is not safe to repeat never is. */
import type { RetryReason } from "../../gate/requests.ts";
import { now } from "../../gate/engine/loop.ts";
import type { Failure, GateError } from "../../gate/errors.ts";
import type { Session } from "./session.ts";
import { statusOfFailure } from "./status.ts";

/** What a dial that reached nobody fails of. */
const UNREACHED: ReadonlySet<Failure> = new Set(["refused", "unreachable", "timeout", "reset", "closed"]);

/** After a dial that failed: nothing of the request was sent. The time is the route's for an answer, or that of a dial. */
export function mayDialAgain(session: Session, reason: GateError): boolean {
  const { exchange, conn } = session, { timeout } = exchange.routed!.http;
  exchange.until = exchange.began + (timeout ?? conn.limits.dialTimeout);
  return isUnreached(reason) && mayRetry(session, "connect");
}

/** The same for a request that is at hand, having been sent before. */
export function mayDialAnother(session: Session, reason: GateError): boolean {
  return isUnreached(reason) && mayRetry(session, "connect");
}

/** After a response that broke before its head was there: as if the gate's own answer to that had been the response. */
export const mayAskAgain = (session: Session, reason: GateError): boolean =>
  reason.side === "upstream" && mayRepeat(session, statusOfFailure(reason, false));

/** After a response of this status, of which nothing has gone to the client. */
export function mayRepeat(session: Session, status: number): boolean {
  const { exchange, repeat, own } = session;
  return repeat !== undefined && !own && exchange.idempotent && exchange.up.done && mayRetry(session, status);
}

const isUnreached = ({ failure, side }: GateError): boolean => side === "upstream" && UNREACHED.has(failure);

function mayRetry(session: Session, reason: RetryReason | number): boolean {
  const { exchange } = session, retries = exchange.routed!.http.retries;
  return retries !== undefined && exchange.retried < retries.attempts && now < session.until &&
    retries.on.some((on) => on === reason);
}
