/** The files that `ssh` names where it ends here: who may log in, what is revoked, and the gate's own key. */
import { openssl } from "../engine/openssl_library.ts";
import { asGateError } from "../errors.ts";
import { readPrivateKey } from "../identity/key_file.ts";
import type { HostKeyRule, LineFault, LoginReader } from "../identity/logins.ts";
import { nodeKeyOf } from "../identity/public_key.ts";
import type { SshConfiguration, SshFile } from "./configuration.ts";
import type { LoginCredentials } from "./credentials.ts";
import { type BaseOf, namedPath } from "./named_path.ts";
import type { Findings } from "./problems.ts";
import type { Read, ReferencedFiles } from "./references.ts";
import type { Path } from "./tree.ts";

export interface ReadLogins {
  readonly credentials: LoginCredentials;
  readonly named: readonly SshFile[];
}

/** Faults of a file that are told one by one. */
const MOST_TOLD = 10;

/**
 * `at`: where SSH is spoken. A line that is wrong lets nobody in, and a file that is not there nobody either: that is warned of, for others are not
 * to lose what they have. What is revoked is known whole, or it is a mistake.
 */
export async function readLoginFiles(
  written: SshConfiguration,
  { reader, at }: { readonly reader: LoginReader; readonly at: Path },
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadLogins> {
  const missing = attempt(openssl);
  if (missing !== undefined) findings.error(at, `SSH is by OpenSSL, too: ${missing}`);
  const named: SshFile[] = [];
  const all = async <T>(
    key: "authorizedKeys" | "userAuthorities" | "revokedKeys",
    of: (file: string, read: Exclude<Read, { fault: string }>, path: Path) => readonly T[],
    missing: "warn" | "error",
  ): Promise<T[]> => {
    const found: T[] = [];
    for (const [i, name] of (written[key] ?? []).entries()) {
      const path = findings.item(["ssh", key], i), file = namedPath(path, name, findings, baseOf);
      const read = await files.read(file);
      named.push({ key, file, state: read.state });
      if ("text" in read) found.push(...of(file, read, path));
      else findings[missing](path, `Cannot read ${file}: ${read.fault}`);
    }
    return found;
  };
  const keys = await all("authorizedKeys", (file, { text }, path) => {
    const { keys, faults } = reader.keys(file, text);
    warnOf(faults, path, findings);
    return keys;
  }, "warn");
  const authorities = await all("userAuthorities", (file, { text }, path) => {
    const { keys, faults } = reader.authorities(file, text);
    warnOf(faults, path, findings);
    return keys;
  }, "warn");
  const revoked = await all("revokedKeys", (file, { bytes }, path) => {
    const { list, faults } = reader.revoked(file, bytes);
    for (const { place, why } of faults.slice(0, MOST_TOLD)) findings.error(path, `${place}: ${why}`);
    return list ? [list] : [];
  }, "error");
  const hostKey = await readHostKey(written.hostKey, files, named, findings, baseOf);
  return { credentials: { logins: { keys, authorities, revoked }, hostKey }, named };
}

/** Why it failed. */
function attempt(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (thrown) {
    return asGateError(thrown).message;
  }
}

function warnOf(faults: readonly LineFault[], path: Path, findings: Findings): void {
  for (const { place, why } of faults.slice(0, MOST_TOLD)) {
    findings.warn(path, `${place}: ${why}; the line lets nobody in`);
  }
  if (faults.length > MOST_TOLD) findings.warn(path, `${faults.length - MOST_TOLD} more lines are wrong`);
}

async function readHostKey(
  name: string | undefined,
  files: ReferencedFiles,
  named: SshFile[],
  findings: Findings,
  baseOf: BaseOf,
): Promise<HostKeyRule | undefined> {
  if (name === undefined) return undefined;
  const at = ["ssh", "hostKey"], file = namedPath(at, name, findings, baseOf), read = await files.read(file);
  named.push({ key: "hostKey", file, state: read.state });
  if (!("text" in read)) return void findings.error(at, `Cannot read ${file}: ${read.fault}`);
  try {
    const key = await readPrivateKey(read.text), { kind, ssh: { type: algorithm, blob } } = nodeKeyOf(key);
    if (kind === "RSA") {
      return void findings.error(at, "expected a key of Ed25519 or ECDSA: RSA signs too slowly");
    }
    return { algorithm, blob, pkcs8: Uint8Array.from(key.export({ type: "pkcs8", format: "der" })) };
  } catch (thrown) {
    return void findings.error(at, asGateError(thrown).message);
  }
}
