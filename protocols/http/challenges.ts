/** What a client is told that did not prove who it is: challenges (RFC 9110 11.6), and when to come again. */
import type { PasswordRule, TokenAnswer } from "../../gate/requests.ts";
import { asGateError, atLimit, type GateError } from "../../gate/errors.ts";
import { RequestRefused } from "./own_answer.ts";

const BEARER_REALM = 'Bearer realm="ugate"';

/** RFC 7617 2. */
export function passwordNeeded({ realm }: PasswordRule, why: string): RequestRefused {
  const challenge = `WWW-Authenticate: Basic realm="${realm}", charset="UTF-8"`;
  return refused(401, [challenge], "unauthenticated", `a user and a password are needed, and ${why}`);
}

/** RFC 6750 3: who gave none learns only that one is needed. */
export function tokenNeeded(): RequestRefused {
  const reason = refused(401, [`WWW-Authenticate: ${BEARER_REALM}`], "unauthenticated", "a token is needed");
  reason.sentence = "A bearer token is needed.";
  return reason;
}

export function tokenRefused(answer: TokenAnswer): RequestRefused {
  if (answer.verdict !== "wrong") {
    const challenge = `WWW-Authenticate: ${BEARER_REALM}, error="insufficient_scope"`;
    const reason = refused(403, [challenge], "denied", "its token has not the claims that are needed");
    reason.sentence = "The token does not allow this.";
    return reason;
  }
  const { why } = answer;
  const challenge =
    `WWW-Authenticate: ${BEARER_REALM}, error="invalid_token", error_description="Not accepted: ${why}"`;
  const reason = refused(401, [challenge], "unauthenticated", `its token is not accepted: ${why}`);
  reason.sentence = `The token is not accepted: ${why}.`;
  return reason;
}

const refused = (
  status: number,
  fields: readonly string[],
  failure: "unauthenticated" | "denied",
  why: string,
) => new RequestRefused(status, fields, failure, "client", `Cannot serve a request: ${why}`);

/** RFC 6585 4, after so many seconds; and where the gate itself cannot tell now, 503. */
export function mustWait(thrown: unknown, seconds: number): GateError {
  const reason = asGateError(thrown), { failure, side, message, limit } = reason;
  const throttled = failure === "exhausted" && side === "client";
  if (!throttled && failure !== "unreachable") return reason;
  const fields = [`Retry-After: ${throttled ? seconds : 5}`];
  const refused = new RequestRefused(throttled ? 429 : 503, fields, failure, side, message, reason.cause);
  refused.sentence = throttled
    ? "Too many credentials came from this address; wait a few seconds."
    : "Credentials cannot be verified now.";
  return limit ? atLimit(limit, refused) : refused;
}
