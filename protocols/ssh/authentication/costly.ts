/**
 * Signatures that take an engine too long to verify: by P-384 and P-521 they cost one to some milliseconds. The main
 * thread says whether they are right, and that is remembered.
 */
import { createHash } from "node:crypto";
import { isSignedBy, type SignatureCheck, type VerifyingKey } from "../../../gate/engine/openssl_keys.ts";
import type { Verify } from "../keys/signature.ts";

/** Nobody knows yet whether it is right. */
export class Unverified {
  constructor(readonly name: string, readonly check: SignatureCheck) {}
}

const MOST_KNOWN = 4096;

export class CostlySignatures {
  /** By a digest of all that is in it, the oldest first. */
  readonly #known = new Map<string, boolean>();

  /** As isSignedBy. Throws Unverified where it would take too long to know. */
  readonly verify: Verify = (key, hash, signature, data) => {
    if (!isCostly(key)) return isSignedBy(key, hash, signature, data);
    const check = { key, hash, signature: signature.slice(), data: data.slice() }, name = nameOf(check);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    throw new Unverified(name, check);
  };

  learn({ name }: Unverified, isRight: boolean): void {
    this.#known.set(name, isRight);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value!);
  }
}

const isCostly = (key: VerifyingKey): boolean => "curve" in key && key.curve !== "P-256";

function nameOf({ key, hash, signature, data }: SignatureCheck): string {
  const digest = createHash("sha256").update(hash);
  for (const bytes of ["curve" in key ? key.point : key.pkcs1, signature, data]) {
    digest.update(`${bytes.length} `).update(bytes);
  }
  return digest.digest("base64");
}
