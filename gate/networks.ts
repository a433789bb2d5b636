/** CIDRs of the configuration, read once; and the network that a source is counted by. */
import { type Cidr, isV4, parseCidr, parseIp } from "./address.ts";
import { GateError } from "./errors.ts";

/** The CIDRs as networks. A text that is none throws: a deny must not get lost. `place` is for the message. */
export function networks(cidrs: readonly string[], place: string): readonly Cidr[] {
  return cidrs.map((text) => {
    const cidr = parseCidr(text);
    if (cidr !== undefined) return cidr;
    throw new GateError(
      "internal",
      "gate",
      `Cannot read ${place}: expected a CIDR, got ${JSON.stringify(text)}`,
    );
  });
}

/** What a source (an IP literal) is counted as: whoever has an IPv6 address has its /64. */
export function sourceNetwork(source: string): string {
  const ip = parseIp(source);
  return ip === undefined || isV4(ip) ? source : ip.subarray(0, 8).join(".");
}
