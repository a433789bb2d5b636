/** The key, the certificate and the roots that `node` names: read, and found to belong together. */
import { type KeyObject, X509Certificate } from "node:crypto";
import { opensslVersion } from "../engine/openssl_library.ts";
import { asGateError } from "../errors.ts";
import { readPrivateKey } from "../identity/key_file.ts";
import { certificateOf, type GivenNode } from "../identity/node_identity.ts";
import { nodeKeyOf } from "../identity/public_key.ts";
import { digestOf, tryKeyPair, tryRoots } from "./certificate.ts";
import { type BaseOf, namedPath } from "./named_path.ts";
import type { Findings } from "./problems.ts";
import type { ReferencedFiles } from "./references.ts";
import type { Path } from "./tree.ts";

/** As they are written. */
export interface NodeFiles {
  readonly key?: string;
  readonly certificate?: string;
  readonly roots?: string;
}

/** What was read of them. */
export interface ReadNode {
  readonly given: GivenNode;
  /** Of all that. */
  readonly digest: string;
}

/**
 * What stands beside a key of this name, where Istio, SPIFFE and cert-manager put theirs: the certificate, and the roots.
 * It is taken where `certificate` is not given.
 */
const BESIDE: Readonly<Record<string, readonly [certificate: string, roots: string]>> = {
  "key.pem": ["cert-chain.pem", "root-cert.pem"],
  "private_key.pem": ["certificates.pem", "ca_certificates.pem"],
  "tls.key": ["tls.crt", "ca.crt"],
};
const LEAST_RSA = 2048;

/** Mistakes are found where the file is named. */
export async function readNodeFiles(
  written: NodeFiles,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadNode> {
  const reader = new Reader(files, findings, baseOf);
  const { key, certificate, roots } = reader.paths(written);
  const found = certificate === undefined && key !== undefined ? await reader.beside(key) : {};
  const secret = key === undefined ? undefined : await reader.key(["node", "key"], key);
  const chain = certificate ? await reader.text(["node", "certificate"], certificate) : found.certificate;
  const trusted = roots ? await reader.text(["node", "roots"], roots) : found.roots;
  const chainAt = certificate ? ["node", "certificate"] : ["node", "key"];
  if (secret && chain !== undefined) reader.checkPair(chainAt, secret, chain);
  if (trusted !== undefined) {
    reader.check(roots ? ["node", "roots"] : ["node", "key"], () => tryRoots(trusted));
  }
  return {
    given: { pkcs8: secret && pkcs8Of(secret), chain, roots: trusted },
    digest: digestOf(secret ? pkcs8Of(secret).toHex() : "", chain ?? "", trusted ?? ""),
  };
}

/** Of RSA. */
const bitsOf = (key: KeyObject): number => key.asymmetricKeyDetails?.modulusLength ?? 0;

const pkcs8Of = (key: KeyObject): Uint8Array => Uint8Array.from(key.export({ type: "pkcs8", format: "der" }));

class Reader {
  readonly #files: ReferencedFiles;
  readonly #findings: Findings;
  readonly #baseOf: BaseOf;

  constructor(files: ReferencedFiles, findings: Findings, baseOf: BaseOf) {
    this.#files = files;
    this.#findings = findings;
    this.#baseOf = baseOf;
  }

  /** Absolute ones. */
  paths(written: NodeFiles): NodeFiles {
    const path = (key: keyof NodeFiles) => {
      const file = written[key];
      return file && namedPath(["node", key], file, this.#findings, this.#baseOf);
    };
    return { key: path("key"), certificate: path("certificate"), roots: path("roots") };
  }

  async text(at: Path, file: string): Promise<string | undefined> {
    const read = await this.#files.read(file);
    if ("text" in read) return read.text;
    this.#findings.error(at, `Cannot read ${file}: ${read.fault}`);
    return undefined;
  }

  /** What is there of it; what appears later is a change of the configuration, too. */
  async beside(key: string): Promise<{ readonly certificate?: string; readonly roots?: string }> {
    const slash = key.lastIndexOf("/") + 1, names = BESIDE[key.slice(slash)];
    if (!names) return {};
    const [certificate, roots] = await Promise.all(names.map(async (name) => {
      const read = await this.#files.read(key.slice(0, slash) + name);
      return "text" in read ? read.text : undefined;
    }));
    return { certificate, roots: certificate && roots };
  }

  async key(at: Path, file: string): Promise<KeyObject | undefined> {
    const text = await this.text(at, file);
    if (text === undefined) return undefined;
    try {
      const key = await readPrivateKey(text), { kind } = nodeKeyOf(key);
      if (kind === "RSA" && bitsOf(key) < LEAST_RSA) {
        this.#findings.error(at, `expected a key of RSA with at least ${LEAST_RSA} bits`);
        return undefined;
      }
      return key;
    } catch (thrown) {
      this.#findings.error(at, asGateError(thrown).message);
      return undefined;
    }
  }

  /** Whether the certificate is that of the key, and TLS can use both. */
  checkPair(at: Path, key: KeyObject, chain: string): void {
    this.check(at, () => {
      const { notAfter } = certificateOf(chain, false);
      const certified = nodeKeyOf(new X509Certificate(chain).publicKey), { spki } = nodeKeyOf(key);
      if (certified.spki.toHex() !== spki.toHex()) {
        return this.#findings.error(at, "the certificate does not belong to node.key");
      }
      if (notAfter < Date.now()) {
        const day = new Date(notAfter).toISOString().slice(0, 10);
        this.#findings.warn(at, `the node's certificate expired on ${day}: peers refuse it`);
      }
      if (opensslVersion() === null) return;
      tryKeyPair({ chain, key: String(key.export({ type: "pkcs8", format: "pem" })) });
    });
  }

  /** What it throws is a mistake there. */
  check(at: Path, act: () => unknown): void {
    try {
      act();
    } catch (thrown) {
      this.#findings.error(at, asGateError(thrown).message);
    }
  }
}
