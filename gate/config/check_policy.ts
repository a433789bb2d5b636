/** Policy rules that meet nothing, and proxies that let nobody or everybody through. */
import { cidrWithin, parseCidr } from "../address.ts";
import type { Protocols } from "../contracts.ts";
import { LINK_LOCAL } from "../own_address.ts";
import type { PolicyRule } from "../snapshot.ts";
import { knownProtocol, trustsItsMachine } from "./check_listeners.ts";
import { knownListener } from "./check_routes.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located, Part } from "./read.ts";

type Listeners = Part<Map<string, Located<ListenerConfiguration>>>;

export function checkPolicy(
  policy: Part<Located<PolicyRule>[]>,
  listeners: Listeners,
  protocols: Protocols,
  findings: Findings,
): void {
  const known = policy.items.filter((rule) => isKnown(rule, protocols, findings));
  for (const { path, value } of known) {
    const certain = listeners.whole || value.listener?.every((name) => listeners.items.has(name));
    const met = Array.from(listeners.items.values(), (listener) => listener.value)
      .filter((listener) => listener.protocols.some((name) => canMeet(value, listener, name, protocols)));
    if (met.length === 0 && certain && !isBarring(value)) {
      findings.error(path, `can never meet a connection: ${whyNever(value, listeners)}`);
    }
    const open = met.filter((listener) => value.verdict === "allow" && isOpen(value, listener));
    if (open.length > 0) {
      const names = open.map(({ name }) => name).join(", ");
      findings.warn(path, `lets whoever reaches ${names} go anywhere: give users there, or sources here`);
    }
    if (value.verdict === "allow") warnOfMetadata({ path, value }, findings);
  }
  if (!policy.whole || known.length < policy.items.length) return;
  for (const { path, value } of listeners.items.values()) checkProxy(path, value, known, protocols, findings);
}

function isKnown({ path, value }: Located<PolicyRule>, protocols: Protocols, findings: Findings): boolean {
  const at = (key: string, i: number) => findings.item([...path, value.verdict, key], i);
  const listens = value.listener?.map((name, i) => knownListener(name, at("listener", i), findings)) ?? [];
  const speaks =
    value.protocol?.map((name, i) => knownProtocol(name, at("protocol", i), protocols, findings)) ?? [];
  return ![...listens, ...speaks].includes(false);
}

/** A deny of sources alone holds for every connection, whatever it asks for. */
function isBarring(rule: PolicyRule): boolean {
  const { verdict, sources, protocol, user } = rule;
  return verdict === "deny" && sources !== undefined && protocol === undefined && user === undefined &&
    rule.hosts === undefined && rule.addresses === undefined && rule.ports === undefined;
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
  const { naming, authenticates } = protocols[protocol];
  if (naming === "nothing") return false;
  if (naming === "host" && !listener.protocols.some((name) => protocols[name].naming === "target")) {
    return false;
  }
  const unnamed = naming === "serverName" && rule.verdict === "allow" && rule.protocol === undefined;
  if (unnamed && !trustsItsMachine(listener)) return false;
  if (rule.user === undefined) return true;
  return authenticates === true && rule.user.some((user) => Object.hasOwn(listener.users ?? {}, user));
}

function whyNever(rule: PolicyRule, listeners: Listeners): string {
  const where = rule.listener?.join(", ") ?? "these listeners";
  if (rule.user) {
    const users = Array.from(listeners.items.values(), ({ value }) => Object.keys(value.users ?? {})).flat();
    const missing = rule.user.filter((user) => !users.includes(user)).join(", ");
    if (missing !== "") return `no listener has the user ${missing}`;
  }
  const what = rule.protocol ? `clients of ${rule.protocol.join(", ")} at ${where}` : `clients of ${where}`;
  return `${what} name no target that it could judge`;
}

/** An allow of everything, for everybody, on a listener that asks nobody who they are. */
function isOpen(
  { user, sources, hosts, addresses, ports }: PolicyRule,
  listener: ListenerConfiguration,
): boolean {
  const limited = [user, sources, hosts, addresses, ports].some((given) => given !== undefined);
  return !limited && listener.users === undefined && !trustsItsMachine(listener);
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
    const { user, sources, hosts, addresses, ports } = value;
    return value.verdict === "allow" ||
      [user, sources, hosts, addresses, ports].every((given) => given === undefined);
  });
  return decisive?.value.verdict === "allow";
}
