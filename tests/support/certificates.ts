/** Authorities and certificates for tests, made by the program `openssl`. */
import type { KeyPair } from "../../gate/engine/openssl_context.ts";
import { Folder, succeed } from "./child.ts";

export interface Issued extends KeyPair {
  /** The files of both. */
  readonly chainFile: string;
  readonly keyFile: string;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** Makes certificates in a folder that is there until the test file is over. */
export class Authority {
  #made = 0;
  private constructor(readonly folder: Folder, readonly root: Issued) {}

  static async make(name: string): Promise<Authority> {
    const folder = await Folder.make();
    addEventListener("unload", () => Deno.removeSync(folder.path, { recursive: true }));
    return new Authority(folder, await made(folder, "root", ["-subj", `/CN=${name}`, ...EC]));
  }

  /** For these names, IPs and URIs. `key` are options of `openssl req` for another key than one of P-256. */
  issue(
    names: readonly string[],
    key: readonly string[] = EC,
    uris: readonly string[] = [],
  ): Promise<Issued> {
    const alternatives = [
      ...names.map((name) => `${/^[\d.]+$|:/.test(name) ? "IP" : "DNS"}:${name}`),
      ...uris.map((uri) => `URI:${uri}`),
    ];
    const { chainFile, keyFile } = this.root;
    return made(this.folder, String(++this.#made), [
      ...["-subj", `/CN=${names[0]}`, "-CA", chainFile, "-CAkey", keyFile, ...key],
      ...[
        "-addext",
        `subjectAltName=${alternatives.join()}`,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
      ],
    ]);
  }

  /** A client's, whose validity ends then, to the second. */
  async issueUntil(name: string, end: Date): Promise<Issued> {
    const path = await Deno.makeTempDir({ dir: this.folder.path });
    const [chainFile, keyFile, request] = ["pem", "key", "csr"].map((kind) => `${path}/brief.${kind}`);
    await Deno.writeTextFile(`${path}/ca.cnf`, CA);
    await Deno.writeTextFile(`${path}/index.txt`, "");
    const subject = ["-subj", `/CN=${name}`, ...EC, "-nodes", "-keyout", keyFile, "-out", request];
    await succeed("openssl", ["req", "-new", ...subject]);
    const until = end.toISOString().replace(/[-:T]|\.\d+/g, "").slice(2);
    const authority = ["-config", "ca.cnf", "-cert", this.root.chainFile, "-keyfile", this.root.keyFile];
    const options = ["-batch", "-notext", "-in", request, "-out", chainFile, "-enddate", until];
    await succeed("openssl", ["ca", ...authority, ...options], { cwd: path });
    const [chain, key] = await Promise.all([chainFile, keyFile].map((file) => Deno.readTextFile(file)));
    return { chain, key, chainFile, keyFile };
  }
}

/** What `openssl ca` needs to know. */
const CA =
  "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\npolicy=p\ndefault_md=sha256\nunique_subject=no\n[p]\ncommonName=supplied\n";

async function made(folder: Folder, name: string, options: readonly string[]): Promise<Issued> {
  const chainFile = `${folder.path}/${name}.pem`, keyFile = `${folder.path}/${name}.key`;
  const files = ["-out", chainFile, "-keyout", keyFile];
  await succeed("openssl", ["req", "-x509", "-nodes", "-days", "30", ...files, ...options]);
  const [chain, key] = await Promise.all([chainFile, keyFile].map((file) => Deno.readTextFile(file)));
  return { chain, key, chainFile, keyFile };
}
