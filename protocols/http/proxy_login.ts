/** Who a client of a proxy is (RFC 9110 11.7): the challenge, Basic credentials (RFC 7617), and what is said of wrong ones. */
import type { Conn, Gate } from "../../gate/contracts.ts";
import { asGateError } from "../../gate/errors.ts";
import { quote } from "../common/named.ts";
import { basicCredentials } from "./basic.ts";
import { RequestRefused } from "./own_answer.ts";

/** A line of the head of a 407. */
export const PROXY_CHALLENGE = ['Proxy-Authenticate: Basic realm="ugate", charset="UTF-8"'];
/** RFC 6585 4: a source that guessed too often has to wait. */
const WAIT = "Too many wrong passwords came from this address; wait a few seconds.";

/**
 * Resolves when they are right; `values` are those of Proxy-Authorization, `what` was asked for, `source` is the client
 * where it is not the peer. Rejects with
 * RequestRefused: 407, 429 where the source has to wait; with GateError where the gate cannot verify anything.
 */
export async function logInToProxy(
  conn: Conn,
  gate: Gate,
  values: readonly string[],
  what: string,
  source?: string,
): Promise<void> {
  const credentials = values.length === 1 ? basicCredentials(values[0]) : undefined;
  if (!credentials) throw unauthenticated(`Cannot serve ${what}: the client sent no Basic credentials`);
  const { user, password } = credentials;
  let right: boolean;
  try {
    right = await gate.login(conn, user, password, source);
  } catch (thrown) {
    const reason = asGateError(thrown);
    if (reason.failure !== "exhausted" || reason.side !== "client") throw reason;
    const { limit, message } = reason;
    const refused = new RequestRefused(429, ["Retry-After: 3"], "exhausted", "client", message);
    throw Object.assign(refused, { limit, sentence: WAIT });
  }
  if (!right) throw unauthenticated(`Cannot log in ${quote(user)}: wrong user or password`);
}

const unauthenticated = (message: string) =>
  new RequestRefused(407, PROXY_CHALLENGE, "unauthenticated", "client", message);
