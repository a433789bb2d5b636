/** Routes that are for TLS alone: who asks in clear is sent there, the same request over TLS (RFC 9110 15.4.9). */
import { GateError, telling } from "../../gate/errors.ts";
import { askedScheme } from "./asked_scheme.ts";
import { schemeOf } from "./forwarded.ts";
import { textOf } from "./interned.ts";
import type { OwnAnswer } from "./own_answer.ts";
import type { Incoming } from "./rules.ts";

const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/;
const HTTP_PORT = "80", HTTPS_PORT = "443";

/** Answers 308 to what came in clear; not to whose TLS a trusted proxy ended: it would come back the same way. */
export function secureOnly(request: Incoming): OwnAnswer | undefined {
  const { head, bytes, exchange, conn } = request;
  if (schemeOf(conn) === "https" || askedScheme(request) === "https") return undefined;
  const asked = textOf(bytes, head.pathStart, head.targetEnd);
  const location = locationOf(exchange.host, asked);
  if (location !== undefined) {
    return { status: 308, fields: [`Location: ${location}`], body: new Uint8Array(0) };
  }
  const state = "it names no host, and would have to come over TLS";
  throw telling(state, new GateError("malformed", "client", `Cannot serve a request in clear: ${state}`));
}

/**
 * The same over TLS. A port that the client gave stays, for one port of the gate serves both; but 80 is HTTP's own, and
 * TLS has 443 there.
 */
export function locationOf(host: string, target: string): string | undefined {
  const [, name = "", port = ""] = AUTHORITY.exec(host) ?? [];
  if (name === "") return undefined;
  const standard = port === "" || port === HTTP_PORT || port === HTTPS_PORT;
  const path = target.startsWith("/") ? target : target.startsWith("?") ? `/${target}` : "/";
  return `https://${name}${standard ? "" : `:${port}`}${path}`;
}
