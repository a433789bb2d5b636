/** /etc/resolv.conf as resolv.conf(5) describes it, as far as a stub resolver over UDP and TCP has use for it. */
import { formatIp, normalName, parseIp, type Target } from "../../gate/address.ts";

/** How to ask. `timeout` in ms, of one try; `attempts` are rounds over all servers. */
export interface ResolvConf {
  readonly servers: readonly Target[];
  readonly search: readonly string[];
  readonly ndots: number;
  readonly timeout: number;
  readonly attempts: number;
  readonly rotate: boolean;
}

/** MAXNS of resolv.h: what stands further down is never asked. */
const MOST_SERVERS = 3;
const MOST_SEARCH = 32;
/** Without a nameserver, the one of this machine (resolv.conf(5)). */
const LOCAL: Target = { host: "127.0.0.1", port: 53 };

/** Never fails: what it does not understand (zones of link-local servers too) is left out. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: Target[] = [];
  let search: string[] = [];
  let options: string[] = [];
  for (const line of text.split("\n")) {
    const [key, ...values] = line.trim().split(/[ \t]+/);
    if (key === "nameserver") {
      const ip = parseIp(values[0] ?? "");
      if (ip !== undefined && servers.length < MOST_SERVERS) servers.push({ host: formatIp(ip), port: 53 });
    } else if (key === "search" || key === "domain") {
      search = searchList(key === "domain" ? values.slice(0, 1) : values);
    } else if (key === "options") {
      options = [...options, ...values];
    }
  }
  return {
    servers: servers.length === 0 ? [LOCAL] : servers,
    search,
    ndots: numberOf(options, "ndots", 1, 0, 15),
    timeout: numberOf(options, "timeout", 5, 1, 30) * 1000,
    attempts: numberOf(options, "attempts", 2, 1, 5),
    rotate: options.includes("rotate"),
  };
}

/** Domains in normal form, without what is none. */
export function searchList(domains: readonly string[]): string[] {
  return domains.map(normalName).filter((name) => name !== undefined).slice(0, MOST_SEARCH);
}

function numberOf(
  options: readonly string[],
  name: string,
  usual: number,
  least: number,
  most: number,
): number {
  const text = options.findLast((option) => option.startsWith(`${name}:`))?.slice(name.length + 1);
  if (text === undefined || !/^[0-9]{1,9}$/.test(text)) return usual;
  return Math.min(most, Math.max(least, Number(text)));
}
