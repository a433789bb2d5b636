/**
 * What credentials proved lately, by a digest of them: so that a request that gives the same ones costs a hash, and no
 * question to the main thread. One per engine.
 */
import { Buffer } from "node:buffer";
import { hash, randomFillSync } from "node:crypto";
import type { Proven } from "../../gate/requests.ts";
import { GateError } from "../../gate/errors.ts";

/** What is remembered holds until then, ms since the epoch. */
interface Lasting {
  readonly until: number;
}

/** Who was proven, and the line that tells it upstream. */
export interface Proof extends Lasting, Proven {
  readonly line: Uint8Array | undefined;
}

/** What a connection gave last, and what that proved: a client that stays says the same again and again. */
export interface Given {
  readonly where: string;
  readonly value: string;
  readonly proof: Proof;
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

/** A secret, without which a digest tells nothing of a password, and behind it what is hashed: one call costs least. */
const hashed = Buffer.alloc(32 * 1024), SECRET = 32;
randomFillSync(hashed, 0, SECRET);

/** Under which a value is remembered; `where` is all that it may depend on besides. At most 31 KiB together. */
export function proofKey(where: string, value: string): string {
  const text = `${where}\n${value}`;
  if (text.length > hashed.length - SECRET) {
    throw new GateError("internal", "gate", "Cannot remember credentials: they are too long");
  }
  const end = SECRET + hashed.write(text, SECRET, "latin1");
  return hash("sha256", hashed.subarray(0, end));
}
