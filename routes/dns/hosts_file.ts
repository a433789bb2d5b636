/** /etc/hosts as hosts(5) describes it. */
import { formatIp, normalName, parseIp } from "../../gate/address.ts";

/** Normal name or alias -> its addresses, in the order of the file. */
export type Hosts = ReadonlyMap<string, readonly string[]>;

const MOST_ADDRESSES = 64;

/** Never fails: lines and names it does not understand are left out. */
export function parseHosts(text: string): Hosts {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const comment = line.indexOf("#");
    const [literal, ...names] = (comment < 0 ? line : line.slice(0, comment)).trim().split(/[ \t]+/);
    const ip = parseIp(literal);
    if (ip === undefined) continue;
    for (const text of names) add(hosts, normalName(text), formatIp(ip));
  }
  return hosts;
}

function add(hosts: Map<string, string[]>, name: string | undefined, address: string): void {
  if (name === undefined) return;
  const addresses = hosts.get(name);
  if (addresses === undefined) hosts.set(name, [address]);
  else if (addresses.length < MOST_ADDRESSES && !addresses.includes(address)) addresses.push(address);
}
