/** Basic credentials (RFC 7617), as Authorization and Proxy-Authorization have them. */
import { Buffer } from "node:buffer";
import type { Credentials } from "../../gate/requests.ts";

const BASIC = /^basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i;

/** Section 2: the first colon ends the user. undefined: these are none. */
export function basicCredentials(value: string): Credentials | undefined {
  const match = BASIC.exec(value);
  if (!match) return undefined;
  const text = Buffer.from(match[1], "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
