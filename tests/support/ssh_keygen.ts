/** Keys, certificates and lists of revoked ones for tests, made by the program `ssh-keygen`. */
import { Folder, succeed } from "./child.ts";

export interface MadeKey {
  /** Of the private key; `.pub` behind it is the public one. */
  readonly file: string;
  readonly blob: Uint8Array;
  /** `ssh-ed25519 AAAA… comment` */
  readonly line: string;
}

export interface Certifying {
  readonly host?: boolean;
  readonly principals?: string;
  readonly serial?: number | bigint;
  readonly validity?: string;
  /** `-O` each. */
  readonly options?: readonly string[];
}

/** What the base64 of a line is. */
export const blobOf = (line: string): Uint8Array => Uint8Array.fromBase64(line.trim().split(" ")[1]);

/** In a folder that is there until the test file is over. */
export class Keygen {
  #made = 0;
  private constructor(readonly folder: Folder) {}

  static async make(): Promise<Keygen> {
    const folder = await Folder.make();
    addEventListener("unload", () => Deno.removeSync(folder.path, { recursive: true }));
    return new Keygen(folder);
  }

  /** `options` as `-t ed25519`, or `-t rsa -b 2048`. */
  async key(options: string, more: readonly string[] = ["-N", ""]): Promise<MadeKey> {
    const file = this.path("key");
    await succeed("ssh-keygen", ["-q", ...options.split(" "), ...more, "-C", "a comment", "-f", file]);
    return await this.read(file);
  }

  /** Writes the public key that a test made, for what needs no private one. */
  async publicKey(type: string, blob: Uint8Array): Promise<MadeKey> {
    const file = this.path("public");
    await Deno.writeTextFile(`${file}.pub`, `${type} ${blob.toBase64()} a comment\n`);
    return await this.read(file);
  }

  async read(file: string): Promise<MadeKey> {
    const line = (await Deno.readTextFile(`${file}.pub`)).trim();
    return { file, line, blob: blobOf(line) };
  }

  /** The blob of a certificate. */
  async certify(authority: MadeKey, key: MadeKey, asked: Certifying = {}): Promise<Uint8Array> {
    return blobOf(await Deno.readTextFile(await this.certificateFile(authority, key, asked)));
  }

  async certificateFile(
    authority: MadeKey,
    key: MadeKey,
    { host, principals = "pi", serial = 7, validity = "always:forever", options = [] }: Certifying,
  ): Promise<string> {
    const file = this.path("certified");
    await Deno.copyFile(`${key.file}.pub`, `${file}.pub`);
    const args = ["-q", "-s", authority.file, "-I", "an id", "-z", String(serial), "-V", validity];
    const named = principals === "" ? [] : ["-n", principals];
    const given = options.flatMap((option) => ["-O", option]);
    await succeed("ssh-keygen", [...args, ...named, ...(host ? ["-h"] : []), ...given, `${file}.pub`]);
    return `${file}-cert.pub`;
  }

  /** The signature that OpenSSH makes of a message (its PROTOCOL.sshsig), and what it signed. */
  async signed(key: MadeKey, message: Uint8Array): Promise<{ signature: Uint8Array; data: Uint8Array }> {
    const file = this.path("message");
    await Deno.writeFile(file, message);
    await succeed("ssh-keygen", ["-q", "-Y", "sign", "-f", key.file, "-n", "test", file]);
    const armored = await Deno.readTextFile(`${file}.sig`);
    const bytes = Uint8Array.fromBase64(armored.replace(/-----.*-----|\n/g, "")),
      view = new DataView(bytes.buffer);
    const fields: Uint8Array[] = [];
    for (let at = 10; at < bytes.length;) { // behind SSHSIG and the version
      const size = view.getUint32(at);
      fields.push(bytes.subarray(at + 4, at += 4 + size));
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", message as Uint8Array<ArrayBuffer>));
    const field = (
      value: Uint8Array,
    ) => [value.length >>> 24, value.length >>> 16, value.length >>> 8, value.length, ...value];
    const data = [..."SSHSIG"].map((one) => one.charCodeAt(0));
    for (const value of [fields[1], fields[2], fields[3], digest]) data.push(...field(value));
    return { signature: fields[4], data: Uint8Array.from(data) };
  }

  /** What `ssh-keygen` prints. */
  async said(...args: string[]): Promise<string> {
    return (await succeed("ssh-keygen", args)).stdout;
  }

  path(name: string): string {
    return `${this.folder.path}/${name}${++this.#made}`;
  }
}
