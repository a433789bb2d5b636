/**
 * The keys that our client logs in with, and whom it believes: files, and an agent. On the main thread, which no
 * signature of a millisecond holds up, nor an agent that asks its owner first.
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Target } from "../../../gate/address.ts";
import { causeChain, GateError } from "../../../gate/errors.ts";
import { nodeKeyOf } from "../../../gate/identity/public_key.ts";
import type { Introduction, Keyring, LoginKey, Signing } from "../../../gate/keyring.ts";
import { signatureAlgorithm } from "../keys/algorithms.ts";
import { readCertificate } from "../keys/certificate.ts";
import { Refusal } from "../keys/fields.ts";
import { type KnownHost, readKnownHosts, trustIn } from "../keys/known_hosts.ts";
import { keyText } from "../keys/lines.ts";
import { signatureBlob } from "../keys/signature.ts";
import type { Agent } from "./agent.ts";

/** A private key of ours. */
export interface IdentityKey {
  /** For people: the file, or what it is. */
  readonly name: string;
  /** PKCS #8 in DER. */
  readonly pkcs8: Uint8Array;
  /** The line of its certificate. */
  readonly certificate?: string;
}

export interface KeyringParts {
  /** The login name where the configuration has none. */
  readonly user: string;
  /** Asked for once. Rejects with GateError. */
  readonly identities: () => Promise<readonly (IdentityKey | Agent)[]>;
  readonly knownHosts: readonly { readonly file: string; readonly text: string }[];
  readonly warn: (text: string) => void;
}

interface Own {
  readonly key: KeyObject;
  readonly shown: readonly LoginKey[];
}

const isAgent = (one: IdentityKey | Agent): one is Agent => "list" in one;

export class ClientKeyring implements Keyring {
  readonly #parts: KeyringParts;
  #hosts: readonly KnownHost[] | undefined;
  #identities: Promise<readonly (Own | Agent)[]> | undefined;

  constructor(parts: KeyringParts) {
    this.#parts = parts;
  }

  async introduce({ host, port }: Target): Promise<Introduction> {
    const known = trustIn(this.#hosts ??= this.#readHosts(), host, port), keys: LoginKey[] = [];
    for (const one of await this.#own()) keys.push(..."key" in one ? one.shown : await this.#listed(one));
    return { user: this.#parts.user, keys, known };
  }

  async sign({ blob, algorithm, data }: Signing): Promise<Uint8Array> {
    const text = keyText(blob), identities = await this.#own();
    for (const one of identities) {
      if (!("key" in one) || !one.shown.some((shown) => keyText(shown.blob) === text)) continue;
      const by = signatureAlgorithm(algorithm)!;
      return signatureBlob(by, Uint8Array.from(sign(by.hash, data, one.key)));
    }
    const agent = identities.find((one) => !("key" in one)) as Agent | undefined;
    if (agent) return await agent.sign(blob, algorithm, data);
    throw new GateError("refused", "gate", "Cannot sign: the key is not there any more");
  }

  /** Lines that are worth nothing are told, once. */
  #readHosts(): readonly KnownHost[] {
    const files = this.#parts.knownHosts.map(({ file, text }) => readKnownHosts(file, text));
    for (const { place, why } of files.flatMap(({ faults }) => faults)) {
      this.#parts.warn(`${place}: ${why}: the line is left out`);
    }
    return files.flatMap(({ hosts }) => hosts);
  }

  /** What failed is tried again the next time. */
  #own(): Promise<readonly (Own | Agent)[]> {
    return this.#identities ??= this.#readOwn().catch((thrown) => {
      this.#identities = undefined;
      throw thrown;
    });
  }

  async #readOwn(): Promise<readonly (Own | Agent)[]> {
    return (await this.#parts.identities()).map((one) => isAgent(one) ? one : this.#ownOf(one));
  }

  /** The certificate before the key alone: a server that wants one ends after a few refusals. */
  #ownOf({ name, pkcs8, certificate }: IdentityKey): Own {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
    const { blob } = nodeKeyOf(key).ssh, certified = certificate && this.#certified(name, certificate, blob);
    return {
      key,
      shown: [...certified ? [{ blob: certified, name: `certificate of ${name}` }] : [], { blob, name }],
    };
  }

  #certified(name: string, line: string, blob: Uint8Array): Uint8Array | undefined {
    const [, base64 = ""] = line.trim().split(/\s+/);
    const bytes = decoded(base64), certificate = bytes ? readCertificate(bytes) : new Refusal("no base64");
    const why = certificate instanceof Refusal
      ? certificate.why
      : keyText(certificate.key.blob) === keyText(blob)
      ? undefined
      : "it is another key's";
    if (why === undefined) return bytes;
    this.#parts.warn(`${name}-cert.pub: ${why}: the certificate is left out`);
    return undefined;
  }

  /** An agent that is gone takes nothing away from the other keys. */
  async #listed(agent: Agent): Promise<readonly LoginKey[]> {
    try {
      return await agent.list();
    } catch (thrown) {
      this.#parts.warn(causeChain(thrown));
      return [];
    }
  }
}

function decoded(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
}
