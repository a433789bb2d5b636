/** The certificates, keys and roots that a configuration names: read, and tried as the engines will use them. */
import type { KeyPair } from "../engine/openssl_context.ts";
import { openssl } from "../engine/openssl_library.ts";
import { asGateError } from "../errors.ts";
import type { HostKeyRule, LoginRules } from "../identity/logins.ts";
import type { GivenNode } from "../identity/node_identity.ts";
import {
  type CertificateFacts,
  certificateFacts,
  digestOf,
  quickest,
  tryKeyPair,
  tryRoots,
} from "./certificate.ts";
import type {
  CertificateConfiguration,
  ListenerConfiguration,
  RouteConfiguration,
  UpstreamTlsConfiguration,
} from "./configuration.ts";
import { type BaseOf, namedPath } from "./named_path.ts";
import { lacksCertificate, lacksKey } from "./pem_kind.ts";
import type { Findings } from "./problems.ts";
import type { Located, Part } from "./read.ts";
import type { ReferencedFiles } from "./references.ts";
import type { Path } from "./tree.ts";

/** What is secret of them, or long: never printed. */
export interface Credentials {
  /** In the order of the configuration's `certificates`. */
  readonly keyPairs: readonly KeyPair[];
  /** By listener, PEM. */
  readonly roots: Readonly<Record<string, string>>;
  /** By the place of the route, of its `upstreamTls`. */
  readonly upstreams: Readonly<Record<string, UpstreamCredentials>>;
  /** PEM, of who vouches for the ACME directory; absent: Mozilla's. */
  readonly acmeRoots?: string;
  /** Of `ssh.identities` and `ssh.knownHosts`. */
  readonly ssh?: SshClientFiles;
  /** Who this gate is, where files say so. */
  readonly node?: GivenNode;
  /** Who may log in where SSH ends here, and who this gate is there. */
  readonly logins?: LoginCredentials;
}

export interface LoginCredentials {
  readonly logins: LoginRules;
  /** Absent: the node's own. */
  readonly hostKey?: HostKeyRule;
}

/** What our client of SSH logs in with, and whom it believes. */
export interface SshClientFiles {
  /** Absent: the node's key. */
  readonly identities?: readonly (SshIdentityFile | typeof AGENT)[];
  readonly knownHosts: readonly { readonly file: string; readonly text: string }[];
}

export interface SshIdentityFile {
  /** Absolute. */
  readonly file: string;
  /** In DER. */
  readonly pkcs8: Uint8Array;
  /** The text of the certificate that lies beside it. */
  readonly certificate?: string;
}

/** In the place of a file: the agent that $SSH_AUTH_SOCK names. */
export const AGENT = "agent";

export interface UpstreamCredentials {
  /** PEM */
  readonly roots?: string;
  readonly keyPair?: KeyPair;
}

/** What is named in ugate.yaml. */
export interface NamedFiles {
  readonly certificates: Part<Located<{ readonly cert: string; readonly key: string }>[]>;
  readonly listeners: Iterable<Located<ListenerConfiguration>>;
  /** Those that have targets over TLS. */
  readonly routes: readonly Located<RouteConfiguration>[];
  readonly acme?: { readonly ca?: string };
}

export interface ReadFiles extends Credentials {
  readonly certificates: readonly CertificateConfiguration[];
  /** By listener: of its roots; by the place of a route: of its `upstreamTls`. */
  readonly digests: Readonly<Record<string, string>>;
  /** Of those of the ACME directory. */
  readonly acmeDigest?: string;
  /** Nothing is wrong with any certificate. */
  readonly whole: boolean;
}

/** Mistakes are found where the file is named. */
export async function readCredentials(
  { certificates, listeners, routes, acme }: NamedFiles,
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<ReadFiles> {
  const first = [...certificates.items, ...listeners, ...routes].at(0), missing = attempt(openssl);
  if (missing !== undefined) {
    findings.error(first?.path ?? ["acme"], missing);
    return { certificates: [], keyPairs: [], roots: {}, upstreams: {}, digests: {}, whole: false };
  }
  const reader = new Reader(files, findings, baseOf);
  const read = [];
  for (const { path, value } of certificates.items) {
    const one = await reader.certificate(path, value.cert, value.key);
    if (one) read.push(one);
  }
  warnOfDoubles(read.map(({ facts }) => facts), findings);
  const acmeRoots = acme?.ca === undefined ? undefined : await reader.roots(["acme", "ca"], acme.ca);
  const roots: Record<string, string> = {}, digests: Record<string, string> = {};
  for (const { path, value: { name, clientCertificates } } of listeners) {
    if (!clientCertificates) continue;
    const pem = await reader.roots([...path, "clientCertificates", "ca"], clientCertificates.ca);
    if (pem !== undefined) roots[name] = pem;
    digests[name] = digestOf(pem ?? "", String(clientCertificates.require));
  }
  const upstreams: Record<string, UpstreamCredentials> = {};
  for (const { path, value: { place, upstreamTls } } of routes) {
    if (!upstreamTls) continue;
    const read = upstreams[place] = await reader.upstream([...path, "upstreamTls"], upstreamTls);
    const { serverName = "", insecure } = upstreamTls;
    digests[place] = digestOf(serverName, String(insecure), read.roots ?? "", read.keyPair?.chain ?? "");
  }
  return {
    certificates: read.map(({ facts }) => facts),
    keyPairs: read.map(({ keyPair }) => keyPair),
    roots,
    upstreams,
    acmeRoots,
    acmeDigest: acmeRoots && digestOf(acmeRoots),
    digests,
    whole: certificates.whole && read.length === certificates.items.length,
  };
}

const BEGIN = "-----BEGIN CERTIFICATE-----";
/** To read one takes an engine 0.1 ms and more. */
const MANY_ROOTS = 16;

class Reader {
  readonly #files: ReferencedFiles;
  readonly #findings: Findings;
  readonly #baseOf: BaseOf;

  constructor(files: ReferencedFiles, findings: Findings, baseOf: BaseOf) {
    this.#files = files;
    this.#findings = findings;
    this.#baseOf = baseOf;
  }

  /** undefined: something is wrong, and found. */
  async certificate(path: Path, cert: string, key: string) {
    const keyPair = await this.#keyPair([...path, "cert"], cert, [...path, "key"], key);
    if (!keyPair) return undefined;
    const told = certificateFacts(keyPair.chain);
    if (typeof told === "string") return void this.#findings.error([...path, "cert"], told);
    this.#warnOfValidity([...path, "cert"], told);
    const place = this.#findings.locate(path), file = this.#path([...path, "cert"], cert);
    const facts: CertificateConfiguration = { place, file, ...told };
    return { facts, keyPair };
  }

  async upstream(
    path: Path,
    { ca, certificate, key }: UpstreamTlsConfiguration,
  ): Promise<UpstreamCredentials> {
    const roots = ca === undefined ? undefined : await this.roots([...path, "ca"], ca);
    if (certificate === undefined || key === undefined) return { roots };
    const keyPair = await this.#keyPair([...path, "certificate"], certificate, [...path, "key"], key);
    return { roots, keyPair };
  }

  async #keyPair(certPath: Path, cert: string, keyPath: Path, key: string): Promise<KeyPair | undefined> {
    const [chain, secret] = [await this.#text(certPath, cert), await this.#text(keyPath, key)];
    if (chain === undefined || secret === undefined) return undefined;
    const [noChain, noKey] = [lacksCertificate(chain), lacksKey(secret)];
    if (noChain) this.#findings.error(certPath, noChain);
    if (noKey) this.#findings.error(keyPath, noKey);
    if (noChain ?? noKey) return undefined;
    const keyPair = { chain, key: secret };
    const tried = attempt(() => tryKeyPair(keyPair));
    if (tried === undefined) return quickest(keyPair);
    this.#findings.error(tried.includes("private key") ? keyPath : certPath, tried);
    return undefined;
  }

  async roots(path: Path, file: string): Promise<string | undefined> {
    const pem = await this.#text(path, file);
    const wrong = pem === undefined ? undefined : lacksCertificate(pem) ?? attempt(() => tryRoots(pem));
    const count = (pem ?? "").split(BEGIN).length - 1;
    if (count > MANY_ROOTS) {
      this.#findings.warn(path, `${count} roots hold an engine up whenever it first needs a certificate`);
    }
    if (wrong === undefined) return pem;
    this.#findings.error(path, wrong);
    return undefined;
  }

  async #text(path: Path, file: string): Promise<string | undefined> {
    const read = await this.#files.read(this.#path(path, file));
    if ("text" in read) return read.text;
    this.#findings.error(path, `Cannot read ${this.#path(path, file)}: ${read.fault}`);
    return undefined;
  }

  #path(path: Path, file: string): string {
    return namedPath(path, file, this.#findings, this.#baseOf);
  }

  #warnOfValidity(path: Path, { notBefore, notAfter }: CertificateFacts): void {
    const now = Date.now(), day = (time: number) => new Date(time).toISOString().slice(0, 10);
    if (notAfter < now) this.#findings.warn(path, `it expired on ${day(notAfter)}: clients refuse it`);
    if (notBefore > now) {
      this.#findings.warn(path, `it is valid from ${day(notBefore)} on: clients refuse it now`);
    }
  }
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

function warnOfDoubles(certificates: readonly CertificateConfiguration[], findings: Findings): void {
  const owners = new Map<string, string>();
  for (const { names, place } of certificates) {
    for (const name of names) {
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, place);
      else {findings.warnings.push(
          `${place}: ${name} is in the certificate of ${owner}, which is used for it`,
        );}
    }
  }
}
