/** The scheme of what a client asked for, whose TLS may have ended at a trusted proxy. */
import { KIND } from "./field_kinds.ts";
import { schemeOf } from "./forwarded.ts";
import { isToken, octets } from "./octets.ts";
import type { Incoming } from "./rules.ts";

const SCHEMES = [["http", octets("http")], ["https", octets("https")]] as const;

/** As X-Forwarded-Proto of a trusted proxy tells it; else as the request came in. */
export function askedScheme({ head, bytes, exchange, conn }: Incoming): "http" | "https" {
  const line = exchange.client === undefined ? -1 : head.find(KIND.forwardedProto);
  if (line < 0) return schemeOf(conn);
  const start = head.valueStart(line), end = head.valueEnd(line);
  const [told] = SCHEMES.find(([, name]) => isToken(bytes, start, end, name)) ?? [];
  return told ?? schemeOf(conn);
}
