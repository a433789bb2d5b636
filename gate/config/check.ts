/** What the parts of a configuration mean together: every mistake that one key alone does not show. */
import type { Limits, Protocols } from "../contracts.ts";
import { isUnixHost } from "../address.ts";
import { checkAuth } from "./check_auth.ts";
import { checkListener, isLoopbackHost } from "./check_listeners.ts";
import { OwnListeners, reportLoop } from "./check_loops.ts";
import { checkHosts } from "./check_hosts.ts";
import { checkNames } from "./check_names.ts";
import { checkPolicy } from "./check_policy.ts";
import { checkPorts } from "./check_ports.ts";
import { checkRoutes } from "./check_routes.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import { rightOfListener, routeMatches } from "./left_out.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import type { Sections } from "./sections.ts";
import { nodeAt } from "./tree.ts";

export function checkSections(sections: Sections, protocols: Protocols, findings: Findings): void {
  const written = nodeAt(findings.root, ["listeners"]);
  if (written?.kind === "map" && written.entries.size === 0) {
    findings.error(["listeners"], "expected at least one listener (without this key there is a default one)");
  }
  checkNames(protocols, findings);
  const left = sections.listeners.leftOut.map((path) => rightOfListener(path, findings));
  for (const listener of left) checkListener(listener, protocols, findings);
  const known = new Map(sections.listeners.items);
  for (const [name, listener] of known) if (!checkListener(listener, protocols, findings)) known.delete(name);
  const listeners = {
    ...sections.listeners,
    whole: sections.listeners.whole && known.size === sections.listeners.items.size,
    items: known,
  };
  checkPorts([...sections.listeners.items.values(), ...left], sections.admin, findings);
  checkFallbacks(sections.listeners.items.values(), findings);
  const rules = sections.policy.items.map(({ value }) => value).filter(({ verdict }) => verdict === "allow");
  const allowed = new Set(rules.flatMap(({ protocol = [] }) => protocol));
  checkRoutes(routeMatches(sections.routes, findings), listeners, protocols, findings, allowed);
  checkAuth(sections, protocols, findings);
  checkPolicy(sections.policy, listeners, protocols, findings);
  checkHosts(sections, findings);
  checkLimits(sections.limits, findings);
  checkAdmin(sections, findings);
}

function checkFallbacks(listeners: Iterable<Located<ListenerConfiguration>>, findings: Findings): void {
  for (const { path, value } of listeners) {
    const back = value.fallback && new OwnListeners([value]).at(value.fallback);
    if (back) reportLoop(back, [...path, "fallback"], 0, findings);
  }
}

function checkLimits({ reserve, connections }: Limits, findings: Findings): void {
  const slots = Object.values(reserve).reduce((sum, count) => sum + count, 0);
  if (slots > connections && !findings.isReported(["limits", "connections"])) {
    findings.error(["limits", "reserve"], `${slots} reserved slots are more than ${connections} connections`);
  }
}

/** The page asks nobody who they are, and a reload or a list of connections is not for everybody. */
function checkAdmin({ admin }: Sections, findings: Findings): void {
  const host = admin.address?.host;
  if (host === undefined || isLoopbackHost(host) || host.startsWith("unix:/")) return;
  const why = isUnixHost(host)
    ? "a socket with a path, which has a mode"
    : "a loopback address or a unix socket";
  findings.expected(["admin", "address"], `${why} (metrics may be answered elsewhere)`);
}
