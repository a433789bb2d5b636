/**
 * Requests for whole URLs, as the client of a forward proxy sends them (RFC 9112 3.2.2): the target is the client's word,
 * which policy judges, each time; users are asked for who they are.
 */
import type { Conn } from "../../gate/contracts.ts";
import type { Routed } from "../../gate/requests.ts";
import { GateError, telling } from "../../gate/errors.ts";
import { KIND } from "./field_kinds.ts";
import { valuesOf } from "./field_values.ts";
import { logInToProxy } from "./proxy_login.ts";
import { namesHttps } from "./request_target.ts";
import type { Incoming, Rules } from "./rules.ts";

/** The registry name of the proxy for everything else: who lists both is a proxy for requests too. */
export const BESIDE = "connect";

/** Whether requests for URLs are proxied at the listener of this connection now. */
export const proxies = ({ protocols }: Conn): boolean => protocols.includes(BESIDE);

/** Before policy has judged it. */
export const UNJUDGED: Routed = { place: "", http: {} };

export const PROXY_RULES: Rules = { admit: [authenticate, judge], editRequest: [], editResponse: [] };

/** Credentials are of each request (RFC 9110 11.7.2); those that were right on this connection are not verified again. */
function authenticate({ head, bytes, exchange, conn, gate }: Incoming): Promise<void> | void {
  if (!conn.asksUser) return;
  const values = valuesOf(head, bytes, KIND.proxyAuthorization);
  if (values.length === 1 && values[0] === exchange.proxyLogin) return void (exchange.user = conn.peer.user);
  exchange.proxyLogin = undefined;
  return logInToProxy(conn, gate, values, "a request", exchange.client).then(() => {
    exchange.proxyLogin = values[0];
    exchange.user = conn.peer.user;
  });
}

/** Throws GateError where it may not go there. */
function judge({ head, bytes, exchange, conn, gate }: Incoming): void {
  const { target } = exchange;
  if (namesHttps(head, bytes)) {
    const state = "https:// goes through CONNECT";
    throw telling(state, new GateError("unsupported", "client", `Cannot proxy a request: ${state}`));
  }
  if (!target) {
    const state = "its URL has no valid host";
    throw telling(state, new GateError("malformed", "client", `Cannot proxy a request: ${state}`));
  }
  exchange.routed = gate.proxied(target, conn, exchange.client);
}
