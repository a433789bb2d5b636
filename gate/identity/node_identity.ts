/**
 * Who this gate is: one key, and what follows from it. Made at the first start and kept in the state directory, or given
 * in files. Not for engines: to read it takes milliseconds, to make it more.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import { GateError } from "../errors.ts";
import { agreeOn, FOREIGN, unreadable } from "../private_file.ts";
import { spiffeOf } from "./certificate_identity.ts";
import { nodeIdOf, nodeNames, vipOf } from "./node_id.ts";
import { type NodeKey, nodeKeyOf, type SshKey } from "./public_key.ts";

/** What may be told of it: plain data. */
export interface NodeIdentity {
  readonly id: string;
  readonly vip: string;
  /** In the DNS, the preferred one first. */
  readonly names: readonly string[];
  readonly key: NodeKey;
  /** The key's own, where it is P-256; else one beside it. */
  readonly sshHostKey: SshKey;
  readonly certificate: NodeCertificate;
  /** PEM, of who vouches for peers; absent: nobody does. */
  readonly roots?: string;
  /** The key is given, and not the gate's own. */
  readonly given: boolean;
}

export interface NodeCertificate {
  /** PEM, the node's own first. */
  readonly chain: string;
  readonly selfSigned: boolean;
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint: string;
  /** ms since the epoch. */
  readonly notAfter: number;
  /** The workload's name, where an authority gave one. */
  readonly spiffe?: string;
}

/** What nobody else may know: PKCS #8 in DER. Never printed. */
export interface NodeSecrets {
  readonly pkcs8: Uint8Array;
  readonly sshHostPkcs8: Uint8Array;
}

/** What files say in place of what the gate would make. */
export interface GivenNode {
  /** PKCS #8 in DER; absent: the one that is kept. */
  readonly pkcs8?: Uint8Array;
  /** PEM, of that key; absent: the node signs its own. */
  readonly chain?: string;
  readonly roots?: string;
}

export interface NodeParts {
  /** The state directory. */
  readonly state: string;
  /** Whose it is, where root looks at a service's: what is made is the service's, too. */
  readonly owner?: number;
  /** May be empty. */
  readonly domain: string;
  readonly given?: GivenNode;
}

const MOST_BYTES = 65536;
const DAY = 86_400_000;
/** A certificate of our own is made anew before it has less. */
const LEAST_LIFE = 365 * DAY;

const keyPath = (state: string): string => `${state}/identity/node.key`;
const sshKeyPath = (state: string): string => `${state}/identity/ssh_host.key`;
const certificatePath = (state: string): string => `${state}/identity/node.pem`;

export interface Node {
  readonly identity: NodeIdentity;
  readonly secrets: NodeSecrets;
}

/** Two gates that begin at once on one state directory are one node. Rejects with GateError. */
export async function nodeIdentity({ state, owner, domain, given }: NodeParts): Promise<Node> {
  const pkcs8 = given?.pkcs8 ?? await keptKey(keyPath(state), owner);
  const key = nodeKeyOf(privateKey(pkcs8)), id = nodeIdOf(key.octets), names = nodeNames(id, domain);
  const sshHostPkcs8 = key.kind === "P-256" ? pkcs8 : await keptKey(sshKeyPath(state), owner);
  const signing = { ...key, pkcs8 };
  const chain = given?.chain ?? await keptCertificate(certificatePath(state), signing, names[0], owner);
  const identity = {
    id,
    vip: vipOf(key.octets),
    names,
    key,
    sshHostKey: nodeKeyOf(privateKey(sshHostPkcs8)).ssh,
    certificate: certificateOf(chain, given?.chain === undefined),
    roots: given?.roots,
    given: given?.pkcs8 !== undefined,
  };
  return { identity, secrets: { pkcs8, sshHostPkcs8 } };
}

const privateKey = (pkcs8: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });

/** A P-256 key, made where there is none. */
async function keptKey(path: string, owner: number | undefined): Promise<Uint8Array> {
  const text = await agreeOn(path, MOST_BYTES, () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return Promise.resolve(String(privateKey.export({ type: "pkcs8", format: "pem" })));
  }, owner);
  try {
    return Uint8Array.from(createPrivateKey(text).export({ type: "pkcs8", format: "der" }));
  } catch (thrown) {
    throw unreadable(path, "malformed", FOREIGN, thrown);
  }
}

/** One that is for this key and name, and good for long enough; made where there is none. */
async function keptCertificate(
  path: string,
  key: NodeKey & { readonly pkcs8: Uint8Array },
  name: string,
  owner: number | undefined,
): Promise<string> {
  const make = async () => (await import("./self_signed.ts")).selfSigned(key, name);
  const agreed = await agreeOn(path, MOST_BYTES, make, owner);
  if (isFor(agreed, key, name)) return agreed;
  await Deno.remove(path).catch(() => {}); // another gate that begins at once does the same: one of them makes it
  return await agreeOn(path, MOST_BYTES, make, owner);
}

function isFor(chain: string, key: NodeKey, name: string): boolean {
  try {
    const certificate = new X509Certificate(chain), { kind, spki } = nodeKeyOf(certificate.publicKey);
    return kind === key.kind && spki.toHex() === key.spki.toHex() &&
      certificate.subjectAltName === `DNS:${name}` &&
      Date.parse(certificate.validTo) - Date.now() > LEAST_LIFE;
  } catch { // damaged: it is made anew
    return false;
  }
}

/** Of a chain whose first certificate is the node's. Throws GateError "malformed". */
export function certificateOf(chain: string, selfSigned: boolean): NodeCertificate {
  try {
    const { raw, validTo } = new X509Certificate(chain);
    return {
      chain,
      selfSigned,
      fingerprint: createHash("sha256").update(raw).digest("hex"),
      notAfter: Date.parse(validTo),
      spiffe: spiffeOf(raw),
    };
  } catch (thrown) {
    throw new GateError(
      "malformed",
      "gate",
      "Cannot use the node's certificate: it is not to be read",
      thrown,
    );
  }
}
