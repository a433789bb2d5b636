/**
 * What credentials proved lately, by a digest of them: so that a request that gives the same ones costs a hash, and no
 * question to the main thread. One per engine.
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";

/** What is remembered holds until then, ms since the epoch. */
interface Lasting {
  readonly until: number;
}

/** The least recently used go first. */
export class Proofs<T extends Lasting> {
  readonly #proofs = new Map<string, T>();

  constructor(readonly most: number) {}

  get(key: string): T | undefined {
    const proof = this.#proofs.get(key);
    if (proof === undefined) return undefined;
    this.#proofs.delete(key);
    if (proof.until <= Date.now()) return undefined;
    this.#proofs.set(key, proof);
    return proof;
  }

  set(key: string, proof: T): void {
    this.#proofs.delete(key);
    this.#proofs.set(key, proof);
    if (this.#proofs.size > this.most) this.#proofs.delete(this.#proofs.keys().next().value!);
  }
}

/** A digest tells nothing of a password without it. */
const KEY = randomBytes(32);

/** Under which a value is remembered; `where` is all that it may depend on besides. */
export function proofKey(where: string, value: string): string {
  return createHash("sha256").update(KEY).update(Buffer.from(`${where}\n${value}`, "latin1")).digest(
    "base64",
  );
}
