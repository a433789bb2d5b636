/** Host keys in a key exchange (RFC 4253 8): the server's signs, and the client believes it or not. */
import type { SigningKey } from "../../gate/engine/openssl_keys.ts";
import { GateError } from "../../gate/errors.ts";
import { publicKeyAlgorithm } from "./keys/algorithms.ts";
import { readCertificate } from "./keys/certificate.ts";
import { Refusal } from "./keys/fields.ts";
import { type PublicKey, readPublicKey } from "./keys/public_key.ts";
import { signatureBlob, verifySignature } from "./keys/signature.ts";

export interface HostKey {
  /** As it is agreed on: the key's type, or its certificate's. */
  readonly algorithm: string;
  /** The public key, or the certificate, as SSH has it. */
  readonly blob: Uint8Array;
  /** The signature of `data` as SSH has it, within 0.1 ms: this is the engine's time. */
  sign(data: Uint8Array): Uint8Array;
}

/** Whom a client believes. */
export interface HostTrust {
  /** What it can judge, the preferred ones first: of a host that is known, what is known of it. */
  readonly algorithms: readonly string[];
  /** Whether who has this key, or this certificate, is who it should be: undefined, or why not. */
  judge(algorithm: string, blob: Uint8Array): GateError | undefined;
}

/** Does not own the key. Throws GateError "internal" for RSA: its signatures hold the engine for milliseconds. */
export function hostKeyOf(algorithm: string, blob: Uint8Array, key: SigningKey): HostKey {
  const asked = publicKeyAlgorithm(algorithm);
  if (!asked || asked.algorithm.type === "ssh-rsa") {
    throw new GateError("internal", "gate", `Cannot sign as a host: not by ${algorithm}`);
  }
  const { algorithm: by } = asked;
  return { algorithm, blob, sign: (data) => signatureBlob(by, key.sign(by.hash, data)) };
}

/** Whether the server has the key that it shows, and may have it: undefined, or why not. */
export function doubtHost(
  trust: HostTrust,
  algorithm: string,
  blob: Uint8Array,
  signature: Uint8Array,
  hash: Uint8Array,
): GateError | undefined {
  const asked = publicKeyAlgorithm(algorithm);
  if (!asked) return new GateError("internal", "gate", `Cannot judge a server: not by ${algorithm}`);
  const key = shownKey(blob, asked.certificate);
  const right = key instanceof Refusal
    ? key
    : verifySignature(key, signature, hash, { algorithm: asked.algorithm.name });
  if (right === true) return trust.judge(algorithm, blob);
  return new GateError("refused", "upstream", `Cannot believe the server: ${right.why}`);
}

function shownKey(blob: Uint8Array, isCertificate: boolean): PublicKey | Refusal {
  if (!isCertificate) return readPublicKey(blob);
  const certificate = readCertificate(blob);
  return certificate instanceof Refusal ? certificate : certificate.key;
}
