/** What the parts of a configuration mean together: every mistake that one key alone does not show. */
import type { Limits, Protocols } from "../contracts.ts";
import { isUnixHost } from "../address.ts";
import {
  checkListener,
  checkPorts,
  checkRepeated,
  isLoopbackHost,
  knownProtocol,
} from "./check_listeners.ts";
import { checkPolicy } from "./check_policy.ts";
import { checkRoutes } from "./check_routes.ts";
import type { HostConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import type { Sections } from "./sections.ts";
import { suggestion } from "./suggest.ts";
import { nodeAt, type Path } from "./tree.ts";

export function checkSections(sections: Sections, protocols: Protocols, findings: Findings): void {
  const written = nodeAt(findings.root, ["listeners"]);
  if (written?.kind === "map" && written.entries.size === 0) {
    findings.error(["listeners"], "expected at least one listener (without this key there is a default one)");
  }
  const known = new Map(sections.listeners.items);
  for (const [name, listener] of known) if (!checkListener(listener, protocols, findings)) known.delete(name);
  const listeners = {
    whole: sections.listeners.whole && known.size === sections.listeners.items.size,
    items: known,
  };
  checkPorts(sections.listeners.items.values(), sections.admin, findings);
  checkRoutes(sections.routes, listeners, protocols, findings);
  checkPolicy(sections.policy, listeners, protocols, findings);
  checkHosts(sections, protocols, findings);
  checkLeftOut(sections, protocols, findings);
  checkLimits(sections.limits, protocols, findings);
  checkAdmin(sections, findings);
}

/** The key of each section's items that names protocols: one, or a list. */
const NAMING = { listeners: "protocols", routes: "protocol", hosts: "layers" } as const;

/** What is left out for another mistake may name unknown protocols too: they are told in the same go. */
function checkLeftOut(sections: Sections, protocols: Protocols, findings: Findings): void {
  for (const [section, key] of Object.entries(NAMING) as [keyof typeof NAMING, string][]) {
    const node = nodeAt(findings.root, [section]);
    const all = node?.kind === "map"
      ? [...node.entries.keys()]
      : node?.kind === "list"
      ? node.items.keys()
      : [];
    const read = new Set([...sections[section].items.values()].map(({ path }) => path[1]));
    for (const step of all) if (!read.has(step)) checkNames([section, step, key], protocols, findings);
  }
}

function checkNames(path: Path, protocols: Protocols, findings: Findings): void {
  const node = nodeAt(findings.root, path);
  if (node?.kind === "list") node.items.forEach((_, i) => checkNames([...path, i], protocols, findings));
  else if (node?.kind === "scalar" && node.text) knownProtocol(node.text, path, protocols, findings);
}

function checkHosts(sections: Sections, protocols: Protocols, findings: Findings): void {
  const { discovery } = sections.rest;
  for (const host of sections.hosts.items.values()) checkHost(host, protocols, findings);
  checkRepeated(discovery, ["discovery"], findings);
  if (sections.hosts.items.size > 0 && !discovery.includes("file")) {
    findings.warn(["hosts"], "nothing asks for them: discovery has no file");
  }
}

function checkHost(
  { path, value }: Located<HostConfiguration>,
  protocols: Protocols,
  findings: Findings,
): void {
  if (value.name.startsWith("*") && value.via === undefined) {
    findings.errorAtKey(path, "a pattern needs via: addresses are of one host");
  }
  value.layers.forEach((layer, i) => {
    const at = [...path, "layers", i];
    if (!knownProtocol(layer, at, protocols, findings) || protocols[layer].wrap) return;
    const able = Object.keys(protocols).filter((name) => protocols[name].wrap).join(", ");
    findings.error(at, `${layer} cannot be a layer: expected one of ${able}`);
  });
}

function checkLimits(limits: Limits, protocols: Protocols, findings: Findings): void {
  const path = ["limits", "reserve"];
  let slots = 0;
  for (const [name, count] of Object.entries(limits.reserve)) {
    slots += count;
    if (Object.hasOwn(protocols, name)) continue;
    findings.errorAtKey([...path, name], `unknown protocol${suggestion(name, Object.keys(protocols))}`);
  }
  if (slots > limits.connections) {
    findings.error(path, `${slots} reserved slots are more than ${limits.connections} connections`);
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
