/**
 * Whom our client takes for the host that it was sent to: an identity that the configuration names, else the keys and the
 * authorities of known hosts. Who is unknown is refused, with what would have to be written to believe him.
 */
import { formatTarget, type Target } from "../../../gate/address.ts";
import { GateError } from "../../../gate/errors.ts";
import { keyName, sshName } from "../../../gate/identity/identity.ts";
import { readNodeId } from "../../../gate/identity/node_id.ts";
import type { KnownKeys } from "../../../gate/keyring.ts";
import type { HostTrust } from "../host_key.ts";
import { certificateType, publicKeyAlgorithm, SIGNATURE_ALGORITHMS } from "../keys/algorithms.ts";
import { type Certificate, readCertificate, whyNot } from "../keys/certificate.ts";
import { Refusal } from "../keys/fields.ts";
import { keyText } from "../keys/lines.ts";
import { fingerprint, keyId, type PublicKey, readPublicKey } from "../keys/public_key.ts";

const SSH_PORT = 22;

/** What hosts may show: security keys are people's. */
const HOST_ALGORITHMS = SIGNATURE_ALGORITHMS.filter((name) => !name.startsWith("sk-"));

const typeOf = (algorithm: string): string | undefined => publicKeyAlgorithm(algorithm)?.algorithm.type;

/** A node that is addressed by its ID is known by that. */
export const identityIn = (host: string): string | undefined => {
  const id = readNodeId(host.split(".", 1)[0]);
  return id && keyName(id);
};

export class GateTrust implements HostTrust {
  readonly algorithms: readonly string[];
  /** The type of the key that was shown, and is not the one that is pinned: the host may have that one as well. */
  other: string | undefined;
  readonly #host: Target;
  readonly #identity: string | undefined;
  readonly #known: KnownKeys;

  /** `identity`: as readIdentityName spells it. `without`: types that were shown already, and were not the pinned key. */
  constructor(
    host: Target,
    identity: string | undefined,
    known: KnownKeys,
    without: ReadonlySet<string> = new Set(),
  ) {
    this.#host = host;
    this.#identity = identity ?? identityIn(host.host);
    this.#known = known;
    this.algorithms = this.#algorithms().filter((name) => !without.has(typeOf(name)!));
  }

  judge(algorithm: string, blob: Uint8Array): GateError | undefined {
    const certificate = publicKeyAlgorithm(algorithm)?.certificate ? readCertificate(blob) : undefined;
    const key = certificate instanceof Refusal ? certificate : certificate?.key ?? readPublicKey(blob);
    if (key instanceof Refusal) return this.#refused(key.why);
    const { keys, revoked } = this.#known, text = keyText(key.blob);
    if (revoked.includes(text)) return this.#refused(`${met(key)} is revoked`);
    if (this.#identity !== undefined) return this.#pinned(this.#identity, key);
    if (certificate) return this.#certified(certificate as Certificate, key);
    return keys.includes(text) ? undefined : this.#unknown(key);
  }

  /** Types that are known first: the server takes the first that it has. */
  #algorithms(): readonly string[] {
    const { keys, authorities } = this.#known;
    if (this.#identity !== undefined) return HOST_ALGORITHMS;
    const types = new Set(keys.map((text) => {
      const key = readPublicKey(Uint8Array.fromBase64(text));
      return key instanceof Refusal ? undefined : key.type;
    }));
    const plain = HOST_ALGORITHMS.filter((name) => types.has(typeOf(name) as PublicKey["type"]));
    const certified = authorities.length > 0 ? HOST_ALGORITHMS.map(certificateType) : [];
    // Of a host that nobody knows it is asked who it is all the same: whoever is to write that down needs it.
    return plain.length + certified.length > 0 ? [...certified, ...plain] : HOST_ALGORITHMS;
  }

  #pinned(identity: string, key: PublicKey): GateError | undefined {
    if ([keyName(keyId(key)), sshName(fingerprint(key.blob))].includes(identity)) return undefined;
    this.other = key.type;
    return this.#refused(`it has to be ${identity}, and shows ${met(key)} (key:${keyId(key)})`);
  }

  #certified(certificate: Certificate, key: PublicKey): GateError | undefined {
    const { authorities, revoked } = this.#known, authority = keyText(certificate.authority.blob);
    const from = fingerprint(certificate.authority.blob);
    if (revoked.includes(authority)) return this.#refused(`its authority ${from} is revoked`);
    if (!authorities.includes(authority)) {
      return this.#known.keys.includes(keyText(key.blob))
        ? undefined
        : this.#refused(`nobody knows the authority ${from} of its certificate`);
    }
    const wrong = whyNot(certificate, { kind: "host", now: Date.now(), principal: this.#host.host });
    return wrong && this.#refused(`the certificate of ${met(key)} is not taken: ${wrong.why}`);
  }

  #unknown(key: PublicKey): GateError {
    const { host, port } = this.#host, name = port === SSH_PORT ? host : `[${host}]:${port}`;
    const line = `${name} ${key.type} ${keyText(key.blob)}`;
    const how =
      `if that is it, write identity: ${sshName(fingerprint(key.blob))} where hosts has it as via, ` +
      `or into a file of ssh.knownHosts the line: ${line}`;
    return this.#refused(
      this.#known.keys.length > 0
        ? `it shows ${met(key)}, and known hosts have other keys of it; ${how}`
        : `nobody knows it, and it shows ${met(key)}; ${how}`,
    );
  }

  #refused(state: string): GateError {
    return new GateError("refused", "upstream", `Cannot believe ${formatTarget(this.#host)}: ${state}`);
  }
}

const met = (key: PublicKey): string => `${key.type} ${fingerprint(key.blob)}`;
