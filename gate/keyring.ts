/**
 * What our client of SSH needs of the main thread: whom to believe, and keys to log in with, whose private parts never
 * leave it. Engines ask by Questions; main's side is made of files and an agent. What is passed is plain data.
 */
import type { Target } from "./address.ts";

/** A key that may log in. */
export interface LoginKey {
  /** The public key, or a certificate of it, as SSH has them. */
  readonly blob: Uint8Array;
  /** For people: the file that has it, or what the agent calls it. */
  readonly name: string;
}

/** What `ssh.knownHosts` say of one host: public keys as SSH has them, in base64. */
export interface KnownKeys {
  readonly keys: readonly string[];
  readonly authorities: readonly string[];
  /** These are worth nothing, whoever else says otherwise. */
  readonly revoked: readonly string[];
}

export interface Introduction {
  /** The login name where the configuration has none. */
  readonly user: string;
  /** In the order in which they are to be tried. */
  readonly keys: readonly LoginKey[];
  readonly known: KnownKeys;
}

export interface Signing {
  /** Of an introduction. */
  readonly blob: Uint8Array;
  /** By its name in a signature: `rsa-sha2-512`, and never that of a certificate. */
  readonly algorithm: string;
  readonly data: Uint8Array;
}

export interface Keyring {
  /** Rejects with GateError where keys cannot be had. */
  introduce(host: Target): Promise<Introduction>;
  /** The signature blob. Rejects with GateError: "refused" where who keeps the key does not sign. */
  sign(signing: Signing): Promise<Uint8Array>;
}
