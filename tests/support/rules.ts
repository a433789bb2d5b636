/** A snapshot, an asking and a decider with what a test is not about filled in. */
import { formatIp } from "../../gate/address.ts";
import type { Asking } from "../../gate/asking.ts";
import { Decider } from "../../gate/decide.ts";
import type { Requested } from "../../gate/requests.ts";
import { queryParameter } from "../../gate/request_query.ts";
import type { PolicyRule, RouteRule, Snapshot } from "../../gate/snapshot.ts";
import { LIMITS } from "./fake_gate.ts";

/** Where the snapshot's gate is bound to every address, these are the machine's. */
export const MACHINE = ["192.0.2.7", "2001:db8::7"];

/** Rules and routes get their places: `policy[0]`, `routes[0]`. */
export function snapshotOf(
  { routes = [], policy = [], ...given }: Partial<Omit<Snapshot, "routes" | "policy">> & {
    routes?: Partial<RouteRule>[];
    policy?: (Omit<PolicyRule, "place" | "verdict"> & { verdict?: "allow" | "deny" })[];
  },
): Snapshot {
  return {
    version: 1,
    listeners: {},
    routes: routes.map((route, i) => ({ place: `routes[${i}]`, label: `label ${i}`, to: [], ...route })),
    policy: policy.map((rule, i) => ({ place: `policy[${i}]`, verdict: "allow", ...rule })),
    limits: LIMITS,
    reserved: [],
    log: { format: "json", connections: true, layers: true },
    own: [],
    certificates: [],
    hostAddresses: [],
    domain: "m",
    keys: "",
    ...given,
  };
}

export function deciderOf(given: Parameters<typeof snapshotOf>[0]): Decider {
  return new Decider(snapshotOf(given), (ip) => MACHINE.includes(formatIp(ip)));
}

/** A SOCKS client from 203.0.113.9 on the listener `proxy`, beyond loopback. */
export function asking(given: Partial<Asking> = {}): Asking {
  return {
    listener: "proxy",
    trusted: false,
    protocol: "socks",
    naming: "target",
    asksUser: false,
    source: "203.0.113.9",
    ...given,
  };
}

/** A request of a URL's path and query. */
export function requested(
  url: string,
  { method = "GET", headers = {} }: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Requested {
  const [path, query = ""] = url.split("?");
  return {
    path,
    method,
    header: (name) => headers[name],
    query: (name) => queryParameter(query, name),
  };
}
