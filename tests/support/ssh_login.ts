/** A gate that people log in to by SSH, its files of keys, and OpenSSH's client of it. */
import { openssl } from "../../gate/engine/openssl_library.ts";
import { Child, Folder, type Output, run } from "./child.ts";
import { startGate, type TestGate } from "./gate.ts";
import { Keygen, type MadeKey } from "./ssh_keygen.ts";

openssl(); // the main thread of a gate loads it for good with the first costly signature

/** What OpenSSH needs to be told for a server that nobody knows. */
export const SSH = [
  ...["-F", "none", "-v", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
  ...["-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1"],
];

const LISTENERS =
  `listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh] }, both: { address: "127.0.0.1:0", protocols: [ssh, tls] } }`;

export interface WorldOptions {
  /** Of `ssh`, beside `authorizedKeys: [keys]`. */
  readonly ssh?: string;
  /** More sections. */
  readonly more?: string;
  /** In place of `edge` and `both`; there has to be an `edge`. */
  readonly listeners?: string;
  /** Of authorized_keys. */
  readonly keys?: readonly string[];
}

export class LoginWorld implements AsyncDisposable {
  private constructor(
    readonly folder: Folder,
    readonly keygen: Keygen,
    readonly gate: TestGate,
  ) {}

  static async start(options: WorldOptions = {}, keygen?: Keygen): Promise<LoginWorld> {
    const folder = await Folder.make();
    await folder.write("keys", (options.keys ?? []).map((line) => `${line}\n`).join(""));
    const gate = await startGate(LoginWorld.text(folder, options));
    return new LoginWorld(folder, keygen ?? await Keygen.make(), gate);
  }

  static text(folder: Folder, { ssh = "", more = "", listeners = LISTENERS }: WorldOptions): string {
    return `node: { name: gate, domain: example.test, state: "${folder.path}/state" }
${listeners}
ssh: { authorizedKeys: ["${folder.path}/keys"]${ssh && `, ${ssh}`} }
${more}
`;
  }

  get port(): string {
    return String(this.gate.port("edge"));
  }

  /** These lines are in authorized_keys from now on. */
  async authorize(...lines: readonly string[]): Promise<void> {
    await this.folder.write("keys", lines.map((line) => `${line}\n`).join(""));
    await this.gate.service.reload();
  }

  async configure(options: WorldOptions): Promise<void> {
    const { problems } = await this.gate.reload(LoginWorld.text(this.folder, options));
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }

  /** OpenSSH's client, which asks for one command. */
  ssh(
    args: readonly string[],
    options: { readonly env?: Record<string, string>; user?: string } = {},
  ): Promise<Output> {
    const { user = "pi", env } = options;
    return run("ssh", [...args, ...SSH, "-p", this.port, `${user}@127.0.0.1`, "true"], { env, most: 20_000 });
  }

  /** Whether it logged in with this key. */
  async logsIn({ file }: Pick<MadeKey, "file">, ...args: readonly string[]): Promise<boolean> {
    const { stderr } = await this.ssh(["-o", "BatchMode=yes", "-i", file, ...args]);
    const welcome = stderr.includes("Authenticated to 127.0.0.1");
    if (welcome === /Permission denied|Connection closed/.test(stderr)) throw new Error(stderr);
    return welcome;
  }

  /** Logged in, until it is ended or cut. */
  async stays({ file }: Pick<MadeKey, "file">, ...args: readonly string[]): Promise<Child> {
    const child = new Child("ssh", [
      ...[...SSH, "-o", "BatchMode=yes", "-N", "-i", file, ...args, "-p", this.port, "pi@127.0.0.1"],
    ]);
    await child.line(/Entering interactive session/);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}
