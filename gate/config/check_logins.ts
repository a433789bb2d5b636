/** Whether anybody can log in where SSH ends here, and names that lines grant are ours: slips, all that is not. */
import { canonicalHost, normalName, parseIp } from "../address.ts";
import { NameSpace } from "../mesh/name_space.ts";
import type { PolicyRule } from "../snapshot.ts";
import type { EndingLogins } from "./ending_logins.ts";
import type { ReadLogins } from "./login_files.ts";
import type { Findings } from "./problems.ts";
import type { Sections } from "./sections.ts";
import type { Path } from "./tree.ts";

const KEY = "key:";
/** Names that are told one by one. */
const MOST_TOLD = 10;
const REMEDY = "it takes a line in ssh.authorizedKeys, an authority in ssh.userAuthorities, " +
  "an issuer of tokens, or an allow rule with identity: key:ID";

/** Where some file or rule is wrong in itself nothing is said: what it meant nobody knows. */
export function checkLogins(
  { ssh, issuers, policy, listeners }: Pick<Sections, "ssh" | "issuers" | "policy" | "listeners">,
  ending: readonly EndingLogins[],
  { credentials: { logins: { keys, authorities } } }: ReadLogins,
  findings: Findings,
): void {
  if (keys.length + authorities.length + issuers.items.length > 0) return;
  if (!issuers.whole || !policy.whole) return;
  const rules = policy.items.map(({ value }) => value);
  const closed = ending.filter((one) => !rules.some((rule) => letsIn(rule, one)));
  const written: Path[] = [
    ...ssh.authorizedKeys ? [["ssh", "authorizedKeys"]] : [],
    ...ssh.userAuthorities ? [["ssh", "userAuthorities"]] : [],
  ];
  if (closed.length === 0) return;
  if (written.length > 0) {
    const where = closed.map(({ listener }) => listener).join(", ");
    findings.warn(written[0], `nobody is in these files, so nobody can log in at ${where}: ${REMEDY}`);
    return;
  }
  for (const { listener } of closed) {
    const at = [...listeners.items.get(listener)!.path, "protocols"];
    findings.warn(at, `SSH ends here, and nobody can log in: ${REMEDY}`);
  }
}

/** A name that a line permits and that does not end as ours do is refused to whoever asks for it. */
export function checkGrants(
  { node }: Pick<Sections, "node">,
  { credentials: { logins: { keys } } }: ReadLogins,
  findings: Findings,
): void {
  const space = new NameSpace(node.domain), told = new Set<string>();
  for (const { place, options: { permitListen = [] } } of keys) {
    for (const { host } of permitListen) {
      if (told.size === MOST_TOLD || told.has(host) || !isName(host) || space.has(normalName(host)!)) {
        continue;
      }
      told.add(host);
      const why = `nobody can register ${host}, which permitlisten has: names end in .${space.domain}`;
      const remedy = node.domain === "" ? "; node.domain says in what else" : "";
      findings.warn(["ssh", "authorizedKeys"], `${place}: ${why}${remedy}`);
    }
  }
}

/** Neither a place to listen at nor a pattern. */
function isName(host: string): boolean {
  const literal = canonicalHost(host);
  return literal !== "localhost" && !(literal !== undefined && parseIp(literal)) &&
    normalName(host) !== undefined;
}

/** Whether a key that is in no file gets in there by it. */
function letsIn({ verdict, identity, listener, protocol, user }: PolicyRule, at: EndingLogins): boolean {
  return verdict === "allow" && user === undefined && (identity ?? []).some((name) => name.startsWith(KEY)) &&
    (listener ?? [at.listener]).includes(at.listener) && (protocol ?? [at.protocol]).includes(at.protocol);
}
