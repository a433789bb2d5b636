/**
 * What is kept below `node.state`/acme: an account for each directory, and each name's certificate with its key. So a
 * restart asks nobody for anything.
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { readPrivate, writePrivate } from "../private_file.ts";
import { type Issued, issuedFromText, storedText } from "./issued.ts";

/** Chains have a few kB. */
const MOST_BYTES = 256 * 1024;
/** The longest name that a file may have has 255 bytes. */
const LONGEST_NAME = 200;

export class Kept {
  readonly #folder: string;

  /** `state`: node.state, which need not be there yet. */
  constructor(state: string) {
    this.#folder = `${state}/acme`;
  }

  /** PEM (PKCS #8, P-256), made when it is first asked for. Rejects with GateError. */
  async accountKey(directory: string): Promise<string> {
    const path = `${this.#folder}/accounts/${new URL(directory).hostname}-${digest(directory)}.pem`;
    const there = await readPrivate(path, MOST_BYTES);
    if (there !== undefined) return there;
    const { privateKey } = generateKeyPairSync("ec", {
      namedCurve: "P-256",
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    await writePrivate(path, new TextEncoder().encode(privateKey));
    return privateKey;
  }

  /** Where the certificate of a name is. */
  path(name: string): string {
    const short = name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME)}-${digest(name)}`;
    return `${this.#folder}/certificates/${short}.pem`;
  }

  /** undefined: there is none. Rejects with GateError for what cannot be read or used. */
  async read(name: string): Promise<Issued | undefined> {
    const text = await readPrivate(this.path(name), MOST_BYTES);
    return text === undefined ? undefined : issuedFromText(name, text);
  }

  /** Rejects with GateError. */
  async write(issued: Issued): Promise<void> {
    await writePrivate(this.path(issued.name), new TextEncoder().encode(storedText(issued)));
  }
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);
