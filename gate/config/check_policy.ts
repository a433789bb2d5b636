/** Policy rules that meet nothing, and proxies that let nobody or everybody through. */
import { cidrWithin, parseCidr } from "../address.ts";
import type { Protocols } from "../contracts.ts";
import { LINK_LOCAL } from "../own_address.ts";
import type { PolicyRule } from "../snapshot.ts";
import { trustsItsMachine } from "./check_listeners.ts";
import { isListener } from "./check_names.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import { ruleMatches } from "./left_out.ts";
import { type Findings, listed } from "./problems.ts";
import type { Located, Part } from "./read.ts";
import { nodeAt } from "./tree.ts";

type Listeners = Part<Map<string, Located<ListenerConfiguration>>>;

export function checkPolicy(
  policy: Part<Located<PolicyRule>[]>,
  listeners: Listeners,
  protocols: Protocols,
  findings: Findings,
): void {
  const isKnown = ({ listener = [], protocol = [] }: PolicyRule) =>
    listener.every((name) => isListener(name, findings.root)) &&
    protocol.every((name) => Object.hasOwn(protocols, name));
  for (const { path, value } of ruleMatches(policy, findings)) {
    if (!isKnown(value)) continue;
    const certain = listeners.whole || value.listener?.every((name) => listeners.items.has(name));
    const meets = (listener: ListenerConfiguration) =>
      listener.protocols.some((name) => canMeet(value, listener, name, protocols));
    const named = value.listener?.flatMap((name) => listeners.items.get(name) ?? []);
    const asked = named ?? Array.from(listeners.items.values());
    if (
      certain && !isBarring({ path, value }, findings) && !asked.some((listener) => meets(listener.value))
    ) {
      findings.error(path, `can never meet a connection: ${whyNever(value, listeners)}`);
    }
    const open = isUnlimited(value)
      ? asked.filter((listener) => isUnguarded(listener.value) && meets(listener.value))
      : [];
    if (open.length > 0) {
      const names = listed(open.map((listener) => listener.value.name));
      findings.warn(path, `lets whoever reaches ${names} go anywhere: give users there, or sources here`);
    }
    if (value.verdict === "allow") warnOfMetadata({ path, value }, findings);
  }
  if (!policy.whole || !policy.items.every(({ value }) => isKnown(value))) return;
  for (const { path, value } of listeners.items.values()) {
    checkProxy(path, value, policy.items, protocols, findings);
  }
}

/** A deny of sources alone, as it is written, holds for every connection, whatever it asks for. */
function isBarring({ path, value }: Located<PolicyRule>, findings: Findings): boolean {
  const node = nodeAt(findings.root, [...path, value.verdict]);
  return value.verdict === "deny" && value.sources !== undefined && node?.kind === "map" &&
    node.entries.keys().every((key) => key === "sources" || key === "listener");
}

/** Whether the rule may be asked about a target that a client of this listener names in this protocol. */
function canMeet(
  rule: PolicyRule,
  listener: ListenerConfiguration,
  protocol: string,
  protocols: Protocols,
): boolean {
  if (rule.listener?.includes(listener.name) === false || rule.protocol?.includes(protocol) === false) {
    return false;
  }
  const { authenticates, unrouted } = protocols[protocol], naming = unrouted ?? protocols[protocol].naming;
  if (naming === "nothing") return false;
  if (naming === "host" && !listener.protocols.some((name) => protocols[name].naming === "target")) {
    return false;
  }
  const unnamed = naming === "serverName" && rule.verdict === "allow" && rule.protocol === undefined;
  if (unnamed && !trustsItsMachine(listener)) return false;
  if (rule.user === undefined) return true;
  const asks = authenticates === true || naming === "host"; // which the proxy beside it does
  return asks && rule.user.some((user) => Object.hasOwn(listener.users ?? {}, user));
}

function whyNever(rule: PolicyRule, listeners: Listeners): string {
  const where = rule.listener?.join(", ") ?? "these listeners";
  if (rule.user) {
    const all = Array.from(listeners.items.values(), ({ value }) => Object.keys(value.users ?? {})).flat();
    const users = new Set(all);
    const missing = rule.user.filter((user) => !users.has(user));
    if (missing.length > 0) return `no listener has the user ${listed(missing)}`;
  }
  const what = rule.protocol ? `clients of ${rule.protocol.join(", ")} at ${where}` : `clients of ${where}`;
  return `${what} name no target that it could judge`;
}

/** An allow of everything, for everybody. */
function isUnlimited({ verdict, user, identity, sources, hosts, addresses, ports }: PolicyRule): boolean {
  return verdict === "allow" &&
    [user, identity, sources, hosts, addresses, ports].every((given) => given === undefined);
}

/** Whether a listener asks nobody who they are. */
function isUnguarded(listener: ListenerConfiguration): boolean {
  return listener.users === undefined && !trustsItsMachine(listener);
}

function warnOfMetadata({ path, value }: Located<PolicyRule>, findings: Findings): void {
  value.addresses?.forEach((text, i) => {
    const network = parseCidr(text);
    const around = network &&
      LINK_LOCAL.some((range) => cidrWithin(range, network) && !cidrWithin(network, range));
    if (!around || /\/0$/.test(text)) return;
    const at = findings.item([...path, "allow", "addresses"], i);
    findings.warn(
      at,
      "does not open the metadata and link-local addresses in it: those need networks of their own",
    );
  });
}

/** Beyond loopback the default is deny: a proxy without an allow serves nobody, and is meant otherwise. */
function checkProxy(
  path: Located<unknown>["path"],
  listener: ListenerConfiguration,
  rules: readonly Located<PolicyRule>[],
  protocols: Protocols,
  findings: Findings,
): void {
  const proxies = listener.protocols.filter((name) => protocols[name].naming === "target");
  if (proxies.length === 0 || trustsItsMachine(listener)) return;
  if (proxies.some((name) => isAllowed(listener, name, rules, protocols))) return;
  const spoken = proxies.join(", ");
  findings.error(
    path,
    `a proxy (${spoken}) beyond loopback, and no allow rule of policy lets anyone through`,
  );
}

/** Whether an allow can match before a deny that always does. */
function isAllowed(
  listener: ListenerConfiguration,
  protocol: string,
  rules: readonly Located<PolicyRule>[],
  protocols: Protocols,
): boolean {
  const decisive = rules.find(({ value }) => {
    if (!canMeet(value, listener, protocol, protocols)) return false;
    const { user, identity, sources, hosts, addresses, ports } = value;
    return value.verdict === "allow" ||
      [user, identity, sources, hosts, addresses, ports].every((given) => given === undefined);
  });
  return decisive?.value.verdict === "allow";
}
