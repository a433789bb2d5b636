/** CIDRs of the configuration, read once. */
import { type Cidr, parseCidr } from "./address.ts";
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
