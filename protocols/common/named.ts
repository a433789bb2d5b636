/** What a client named: as a target, and as text that is safe to print. */
import { canonicalHost, isUnixHost, type Target } from "../../gate/address.ts";

const LONGEST_QUOTE = 64;

/**
 * The target that a client named: an IP address in any spelling, a name, or a unix socket (which has no port).
 * undefined: none of these, or port 0.
 */
export function namedTarget(host: string, port: number): Target | undefined {
  const canonical = canonicalHost(host);
  if (canonical === undefined) return undefined;
  if (isUnixHost(canonical)) return { host: canonical, port: 0 };
  return port > 0 ? { host: canonical, port } : undefined;
}

/** A client's text in an error message: short, quoted, in printable ASCII. */
export function quote(text: string): string {
  const short = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
  return JSON.stringify(short).replace(
    /[^\x20-\x7e]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
