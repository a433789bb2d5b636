/** What a new configuration changes of SSH, in sentences: its files above all, which change without a word of it. */
import type { SshConfiguration, SshFile } from "./configuration.ts";
import { formatDuration } from "./units.ts";

/** Of files that say who may be here: whoever is has been judged by them again when this is told. */
const JUDGED = ": who is connected was judged again";
/** Of the others: what stands goes on. */
const FROM_NOW_ON = ": for new connections";
const AFTER: Readonly<Record<SshFile["key"], string>> = {
  authorizedKeys: JUDGED,
  userAuthorities: JUDGED,
  revokedKeys: JUDGED,
  hostKey: FROM_NOW_ON,
  identities: FROM_NOW_ON,
  knownHosts: FROM_NOW_ON,
};

export function sshChanges(before: SshConfiguration, after: SshConfiguration): string[] {
  return [
    ...(Object.keys(AFTER) as SshFile["key"][]).flatMap((key) => fileChanges(key, before, after)),
    ...before.banner === after.banner ? [] : ["ssh.banner: changed"],
    ...before.loginTimeout === after.loginTimeout ? [] : [
      `ssh.loginTimeout: ${formatDuration(after.loginTimeout)} instead of ${
        formatDuration(before.loginTimeout)
      }`,
    ],
  ];
}

/** Of one key; the agent is no file, and what it has nobody is told. */
function fileChanges(key: SshFile["key"], before: SshConfiguration, after: SshConfiguration): string[] {
  const [old, now] = [filesOf(before, key), filesOf(after, key)];
  const written = [before[key], after[key]].map((names) => JSON.stringify(names ?? []));
  const words = [
    ...[...now.keys()].filter((file) => !old.has(file)).map((file) => `${file} new`),
    ...[...old.keys()].filter((file) => !now.has(file)).map((file) => `${file} gone`),
    ...[...now].filter(([file, state]) => old.has(file) && old.get(file) !== state).map(([file]) =>
      `${file} changed`
    ),
  ];
  if (words.length === 0 && written[0] !== written[1]) words.push("in another order, or other words");
  return words.length === 0 ? [] : [`ssh.${key}: ${words.join(", ")}${AFTER[key]}`];
}

const filesOf = ({ files = [] }: SshConfiguration, key: SshFile["key"]): ReadonlyMap<string, string> =>
  new Map(files.filter((one) => one.key === key).map(({ file, state }) => [file, state]));
