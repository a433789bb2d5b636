/** EXT_INFO (RFC 8308): what a side tells the other one of behind its first NEWKEYS. */
import type { Side } from "../../gate/errors.ts";
import { malformed } from "./failure.ts";
import { EXT_INFO } from "./numbers.ts";
import type { Role } from "./offer.ts";
import { encoded, Reader } from "./wire.ts";

/** Names and values, as text. */
export type Extensions = ReadonlyMap<string, string>;

/** Which signatures of users a server takes (RFC 8308 3.1), names with commas between. */
export const SERVER_SIG_ALGS = "server-sig-algs";
/** That it answers pings (PROTOCOL of OpenSSH, 1.9). */
const PING: readonly [string, string] = ["ping@openssh.com", "0"];

/** A peer has a handful. */
const MOST = 64;

/** Ours. `signatureAlgorithms`: what a server takes of its users. */
export function extensionsMessage(
  role: Role,
  signatureAlgorithms: readonly string[] | undefined,
): Uint8Array<ArrayBuffer> {
  const told = [PING];
  if (role === "server" && signatureAlgorithms) told.push([SERVER_SIG_ALGS, signatureAlgorithms.join(",")]);
  return encoded((to) => {
    to.byte(EXT_INFO).uint32(told.length);
    for (const [name, value] of told) to.text(name).text(value);
  });
}

/** Of a payload, its number included. Throws GateError. */
export function readExtensions(payload: Uint8Array, side: Side): Extensions {
  const from = new Reader(payload, 1), count = from.uint32(), found = new Map<string, string>();
  for (let i = 0; i < Math.min(count, MOST) && !from.failed; i++) found.set(from.name(), from.text());
  if (!from.whole || count > MOST) throw malformed(side, "go on", "a broken EXT_INFO");
  return found;
}
