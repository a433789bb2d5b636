/** Where a client may come from: networks in certificates, and the patterns of `from=` (sshd(8), ssh_config(5)). */
import { type Cidr, cidrHas, parseCidr, parseIp, sameIp } from "../../../gate/address.ts";
import { matchesPattern } from "./pattern.ts";
import { Refusal } from "./fields.ts";

const MOST_PATTERNS = 256;
/** An address in which stars and question marks stand for some of it; a name is none, for none is looked up. */
const ADDRESS_PATTERN = /^[0-9a-fA-F.:*?]+$/;

/** Networks with a comma between, as certificates have them: no patterns, nothing negated. */
export function sourceNetworks(text: string): readonly string[] | Refusal {
  const networks = text.split(",");
  const wrong = networks.find((each) => network(each) === undefined);
  if (wrong !== undefined) {
    return new Refusal(`expected a network such as 10.0.0.0/8, got ${JSON.stringify(wrong)}`);
  }
  return bounded(networks);
}

/** The same for `from=`: networks and patterns of addresses, `!` in front of those that are refused. */
export function sourcePatterns(text: string): readonly string[] | Refusal {
  const patterns = text.split(",").map((each) => each.trim());
  const wrong = patterns.find((each) => {
    const bare = each.replace(/^!/, "");
    return network(bare) === undefined && !ADDRESS_PATTERN.test(bare);
  });
  if (wrong !== undefined) {
    const state = `got ${JSON.stringify(wrong)} (names are not looked up)`;
    return new Refusal(`expected networks, or patterns of addresses, ${state}`);
  }
  return bounded(patterns);
}

const bounded = (items: readonly string[]): readonly string[] | Refusal =>
  items.length > MOST_PATTERNS ? new Refusal(`more than ${MOST_PATTERNS} networks or patterns`) : items;

/** Whether the source (an IP literal; undefined: it has none) is meant. A pattern with `!` that is met is the last word. */
export function isMeantSource(patterns: readonly string[], source: string | undefined): boolean {
  const ip = source === undefined ? undefined : parseIp(source);
  if (!ip || source === undefined) return false;
  let meant = false;
  for (const each of patterns) {
    const bare = each.replace(/^!/, ""), cidr = network(bare);
    if (!(cidr ? cidrHas(cidr, ip) : matchesPattern(bare.toLowerCase(), source))) continue;
    if (bare !== each) return false;
    meant = true;
  }
  return meant;
}

/** Bits behind the prefix are a slip that sshd refuses, too. */
function network(text: string): Cidr | undefined {
  const cidr = parseCidr(text), ip = parseIp(text.replace(/\/.*$/, ""));
  return cidr && ip && sameIp(cidr.base, ip) ? cidr : undefined;
}
