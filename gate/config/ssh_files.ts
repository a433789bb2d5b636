/** The files that `ssh` names: keys to log in with, and whom our client believes. */
import { asGateError } from "../errors.ts";
import { readPrivateKey } from "../identity/key_file.ts";
import { nodeKeyOf } from "../identity/public_key.ts";
import { digestOf } from "./certificate.ts";
import type { SshConfiguration, SshFile } from "./configuration.ts";
import { AGENT, type SshClientFiles, type SshIdentityFile } from "./credentials.ts";
import { type BaseOf, namedPath } from "./named_path.ts";
import type { Findings } from "./problems.ts";
import type { ReferencedFiles } from "./references.ts";
import type { Path } from "./tree.ts";

export interface ReadSsh {
  readonly files: SshClientFiles;
  /** Of all that. */
  readonly digest: string;
  readonly named: readonly SshFile[];
}

/** What OpenSSH puts a key's certificate into, beside it. */
const CERTIFICATE = "-cert.pub";
const LOCKED = "give it to an agent and write agent here, or take its passphrase away: ssh-keygen -p -f FILE";

/** Mistakes are found where the file is named. */
export async function readSshFiles(
  { identities, knownHosts = [] }: SshConfiguration,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadSsh> {
  const keys: (SshIdentityFile | typeof AGENT)[] = [], known: { file: string; text: string }[] = [];
  const named: SshFile[] = [];
  for (const [i, written] of (identities ?? []).entries()) {
    const at = findings.item(["ssh", "identities"], i);
    const key = written === AGENT
      ? AGENT
      : await readIdentity(at, namedPath(at, written, findings, baseOf), files, named, findings);
    if (key) keys.push(key);
  }
  for (const [i, written] of knownHosts.entries()) {
    const at = findings.item(["ssh", "knownHosts"], i), file = namedPath(at, written, findings, baseOf);
    const text = await readText(at, { key: "knownHosts", file }, files, named, findings);
    if (text !== undefined) known.push({ file, text });
  }
  const digest = digestOf(
    ...keys.flatMap((key) => key === AGENT ? [AGENT] : [key.pkcs8.toHex(), key.certificate ?? ""]),
    "",
    ...known.map(({ text }) => text),
  );
  return { files: { ...identities && { identities: keys }, knownHosts: known }, digest, named };
}

async function readIdentity(
  at: Path,
  file: string,
  files: ReferencedFiles,
  named: SshFile[],
  findings: Findings,
): Promise<SshIdentityFile | undefined> {
  const text = await readText(at, { key: "identities", file }, files, named, findings);
  if (text === undefined) return undefined;
  try {
    const key = await readPrivateKey(text);
    nodeKeyOf(key); // whether it is of a kind that SSH has
    const beside = await files.read(file + CERTIFICATE);
    if ("text" in beside) named.push({ key: "identities", file: file + CERTIFICATE, state: beside.state });
    return {
      file,
      pkcs8: Uint8Array.from(key.export({ type: "pkcs8", format: "der" })),
      ..."text" in beside && { certificate: beside.text },
    };
  } catch (thrown) {
    const { failure, message } = asGateError(thrown);
    findings.error(at, failure === "unauthenticated" ? `${message}: ${LOCKED}` : message);
    return undefined;
  }
}

async function readText(
  at: Path,
  { key, file }: Pick<SshFile, "key" | "file">,
  files: ReferencedFiles,
  named: SshFile[],
  findings: Findings,
): Promise<string | undefined> {
  const read = await files.read(file);
  named.push({ key, file, state: read.state });
  if ("text" in read) return read.text;
  findings.error(at, `Cannot read ${file}: ${read.fault}`);
  return undefined;
}
