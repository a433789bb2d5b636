/** A gate that SSH ends at, and OpenSSH's client for it: with keys of their own, in a folder of their own. */
import { Child, Folder, run } from "./child.ts";
import { startGate, type TestGate } from "./gate.ts";
import { Keygen, type MadeKey } from "./ssh_keygen.ts";

export interface SshGateOptions {
  /** Lines of authorized_keys. */
  readonly lines?: readonly string[];
  /** Rules, in YAML's flow style. */
  readonly policy?: readonly string[];
  /** Of its listener; else it is bound to loopback, and trusts its machine. */
  readonly address?: string;
  /** More of them, in YAML's flow style. */
  readonly listeners?: readonly string[];
  /** Whatever else the file says. */
  readonly more?: string;
}

export const DOMAIN = "mesh.example.com";
const keygen = await Keygen.make();

export const makeKey = (options = "-t ed25519"): Promise<MadeKey> => keygen.key(options);

/** `file` belongs to a certificate of this key, in the place where OpenSSH looks for it. */
export async function makeCertificate(
  authority: MadeKey,
  asked: Parameters<Keygen["certificateFile"]>[2],
): Promise<MadeKey> {
  const key = await makeKey();
  await Deno.copyFile(await keygen.certificateFile(authority, key, asked), `${key.file}-cert.pub`);
  return key;
}

export class SshGate implements AsyncDisposable {
  private constructor(readonly gate: TestGate, readonly folder: Folder, readonly options: SshGateOptions) {}

  static async start(options: SshGateOptions = {}): Promise<SshGate> {
    const folder = await Folder.make();
    await folder.write("keys", lines(options));
    return new SshGate(await startGate(yamlOf(folder, options)), folder, options);
  }

  get port(): number {
    return this.gate.port("s");
  }

  /** With other rules, or lines, from now on. */
  async reload(changed: SshGateOptions): Promise<void> {
    const options = { ...this.options, ...changed };
    await this.folder.write("keys", lines(options));
    const outcome = await this.gate.reload(yamlOf(this.folder, options));
    if (outcome.result === "refused") throw new Error(JSON.stringify(outcome));
  }

  /** What OpenSSH's client needs to log in with this key. */
  args(key: MadeKey, options: readonly string[] = [], host = "127.0.0.1"): string[] {
    return [...SSH, "-i", key.file, "-p", String(this.port), ...options, `pi@${host}`];
  }

  /** OpenSSH's client that stays, until it said `line` with -v. */
  async stay(key: MadeKey, options: readonly string[], line: RegExp): Promise<Child> {
    const child = new Child("ssh", this.args(key, ["-v", "-N", ...options]));
    try {
      await child.line(line);
      return child;
    } catch (thrown) {
      await child[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** What OpenSSH's client brings from there to its standard output. */
  fetch(key: MadeKey, to: string, stdin: string | Uint8Array = "", options: readonly string[] = []) {
    return run("ssh", this.args(key, [...options, "-W", to]), { stdin });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Nothing of the user who runs the test. */
export const SSH: readonly string[] = [
  ...["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"],
  ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=INFO"],
];

const lines = ({ lines = [] }: SshGateOptions): string => `${lines.join("\n")}\n`;

function yamlOf(
  { path }: Folder,
  { policy = [], address = "127.0.0.1:0", listeners = [], more = "" }: SshGateOptions,
): string {
  return [
    `node: { state: "${path}/state", domain: ${DOMAIN} }`,
    `listeners: { ${[`s: { address: "${address}", protocols: [ssh] }`, ...listeners].join(", ")} }`,
    `ssh: { authorizedKeys: ["${path}/keys"] }`,
    `policy: [${policy.join(", ")}]`,
    more,
  ].join("\n");
}
