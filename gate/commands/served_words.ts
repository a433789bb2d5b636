/** What is told of a protocol that ends at the gate for who logs in: by what files, and where names come from. */
import { counted } from "../amounts.ts";
import type { Configuration, SshFile } from "../config/configuration.ts";
import type { Credentials } from "../config/credentials.ts";
import { endingLogins } from "../config/ending_logins.ts";
import { listed } from "../config/problems.ts";
import type { Protocols } from "../contracts.ts";
import { NODE_SUFFIXES } from "../identity/node_id.ts";

/** Lines for people; undefined: it does not end there. */
export type ServedWords = (listener: string, protocol: string) => readonly string[] | undefined;

const KEY = "key:";

export function servedWords(
  config: Configuration,
  { logins }: Pick<Credentials, "logins">,
  protocols: Protocols,
): ServedWords {
  const ending = endingLogins(config, protocols);
  return (listener, protocol) => {
    if (!logins || !ending.some((one) => one.listener === listener && one.protocol === protocol)) {
      return undefined;
    }
    return [loginWords(config, logins, listener, protocol), nameWords(config, logins)];
  };
}

function loginWords(
  { ssh, issuers, policy }: Configuration,
  { logins: { keys, authorities } }: NonNullable<Credentials["logins"]>,
  listener: string,
  protocol: string,
): string {
  const filesOf = (key: SshFile["key"]) =>
    (ssh.files ?? []).filter((one) => one.key === key).map(({ file }) => file);
  const lines = filesOf("authorizedKeys").map((file) => {
    const count = keys.filter(({ place }) => place.startsWith(`${file}:`)).length;
    return `${counted(count, "line")} of ${file}`;
  });
  const named = policy.filter(({ verdict, ...rule }) =>
    verdict === "allow" && (rule.listener ?? [listener]).includes(listener) &&
    (rule.protocol ?? [protocol]).includes(protocol)
  ).flatMap(({ identity = [] }) => identity.filter((name) => name.startsWith(KEY)));
  const ways = [
    ...lines,
    ...authorities.length > 0
      ? [`a certificate of ${listed(filesOf("userAuthorities"))} (${counted(authorities.length, "key")})`]
      : [],
    ...issuers.map(({ issuer }) => `a token of ${issuer}`),
    ...named.length > 0 ? [`${counted(new Set(named).size, "key")} that allow rules of policy name`] : [],
  ];
  return ways.length === 0
    ? "it ends here, and nobody can log in"
    : `it ends here, for who logs in by ${ways.join(", ")}`;
}

function nameWords(
  { node: { domain } }: Configuration,
  { logins: { keys } }: NonNullable<Credentials["logins"]>,
): string {
  const end = `.${domain || NODE_SUFFIXES[0]}`;
  const hosts = keys.flatMap(({ options }) => (options.permitListen ?? []).map(({ host }) => host));
  const granted = [...new Set(hosts.filter((host) => host.endsWith(end)))];
  const lines = granted.length === 0
    ? "no line has a permitlisten of one"
    : `lines permit ${listed(granted)}`;
  return `names come from the ID of a key and the principals of a certificate, with ${end} behind; ${lines}`;
}
