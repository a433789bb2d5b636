/** What holds of SSH on this engine: made of main's plain data once, when it is first asked for. */
import { SigningKey } from "../../gate/engine/openssl_keys.ts";
import type { HostKeyRule } from "../../gate/identity/logins.ts";
import type { SshRules } from "../../gate/snapshot.ts";
import { type HostKey, hostKeyOf } from "./host_key.ts";
import { AuthorizedKeys } from "./keys/authorized_keys.ts";
import type { Trusted } from "./keys/login.ts";
import { Revocations } from "./keys/revoked.ts";

export interface Trust extends Omit<Trusted, "isNamed"> {
  readonly hostKeys: readonly HostKey[];
}

const made = new WeakMap<SshRules, Trust>();
/** By the octets of the key: connections may sign with one that holds no more, so it is kept for good. */
const hostKeys = new Map<string, HostKey>();

/** Throws GateError "unsupported" without libcrypto. */
export function trustOf(rules: SshRules): Trust {
  const known = made.get(rules);
  if (known) return known;
  const { logins } = rules, keys = new AuthorizedKeys(), revoked = new Revocations();
  keys.add(logins.keys);
  for (const list of logins.revoked) revoked.add(list);
  const trust = {
    keys,
    revoked,
    authorities: new Set(logins.authorities),
    hostKeys: rules.hostKeys.map(hostKey),
  };
  made.set(rules, trust);
  return trust;
}

function hostKey({ algorithm, blob, pkcs8 }: HostKeyRule): HostKey {
  const name = blob.toHex(), known = hostKeys.get(name) ?? hostKeyOf(algorithm, blob, new SigningKey(pkcs8));
  hostKeys.set(name, known);
  return known;
}
