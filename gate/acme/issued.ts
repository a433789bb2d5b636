/** A certificate that an authority issued for one name: what is believed of it, and how it stands on disk. */
import { CertificateIndex } from "../certificate_index.ts";
import { type CertificateFacts, certificateFacts, quickest, tryKeyPair } from "../config/certificate.ts";
import type { KeyPair } from "../engine/openssl_context.ts";
import { GateError } from "../errors.ts";
import type { IssuedPair } from "./messages.ts";

export interface Issued {
  readonly name: string;
  /** By whom: the URL of the directory. */
  readonly directory: string;
  readonly facts: CertificateFacts;
  readonly keyPair: KeyPair;
}

const HEAD = "ugate acme 1";
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----/;

/** Throws GateError "malformed" where engines could not serve the name with it. */
export function issuedFor(name: string, directory: string, { chain, key }: IssuedPair): Issued {
  const keyPair = { chain, key };
  tryKeyPair(keyPair);
  const facts = certificateFacts(chain);
  if (typeof facts === "string") throw unusable(facts);
  if (!new CertificateIndex([facts]).find(name)) throw unusable(`it is not for ${name}`);
  return { name, directory, facts: { ...facts, names: [name] }, keyPair: quickest(keyPair) };
}

/** One text, so that a certificate and its key are replaced together. */
export const storedText = ({ directory, keyPair }: Issued): string =>
  `# ${HEAD}\n# ${directory}\n${keyPair.chain.trim()}\n${keyPair.key.trim()}\n`;

/** What storedText made. Throws as issuedFor. */
export function issuedFromText(name: string, text: string): Issued {
  const [head, directory = ""] = text.split("\n", 2).map((line) => line.slice(2));
  const chain = text.match(CERTIFICATES), key = KEY.exec(text);
  if (head !== HEAD || !chain || !key) throw unusable("it is damaged, or another version of ugate wrote it");
  return issuedFor(name, directory, { chain: `${chain.join("\n")}\n`, key: `${key[0]}\n` });
}

const unusable = (state: string): GateError =>
  new GateError("malformed", "gate", `Cannot use a certificate: ${state}`);
