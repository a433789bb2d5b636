/**
 * An authority of this machine's own, for development: who trusts its root believes every certificate it makes, so its
 * key stays in the state directory. P-256 and SHA-256 throughout.
 */
import * as x509 from "@peculiar/x509";
import { parseIp } from "./address.ts";
import type { KeyPair } from "./engine/openssl_context.ts";
import { FOREIGN, readPrivate, unreadable, writePrivate } from "./private_file.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY = 86_400_000;
/** Days. Browsers refuse certificates that are good for longer than 398. */
const LEAF_LIFE = 397, ROOT_LIFE = 3650;
/** Clocks differ. */
const BEFORE = 60 * 60_000;
const MOST_BYTES = 65536;
const SERVER = "1.3.6.1.5.5.7.3.1";
const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags;

export class DevAuthority {
  readonly #root: x509.X509Certificate;
  readonly #key: CryptoKey;

  private constructor(root: x509.X509Certificate, key: CryptoKey, readonly isNew: boolean) {
    this.#root = root;
    this.#key = key;
  }

  /** Of this state directory: made where there is none. Rejects with GateError. */
  static async of(state: string): Promise<DevAuthority> {
    const path = `${state}/dev/authority.pem`;
    const text = await readPrivate(path, MOST_BYTES);
    if (text === undefined) return await DevAuthority.#make(path);
    try {
      const [root, key] = x509.PemConverter.decode(text);
      return new DevAuthority(new x509.X509Certificate(root), await importKey(key), false);
    } catch (thrown) {
      throw unreadable(path, "malformed", FOREIGN, thrown);
    }
  }

  static async #make(path: string): Promise<DevAuthority> {
    const keys = await newKeys(), made = new Date().toISOString().slice(0, 10);
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      ...about(ROOT_LIFE),
      name: [{ O: ["ugate"] }, {
        CN: [`ugate development authority, ${Deno.hostname()} ${made} ${newSerial().slice(0, 8)}`],
      }],
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const text = `${root.toString("pem")}\n${await keyText(keys.privateKey)}\n`;
    await writePrivate(path, new TextEncoder().encode(text));
    return new DevAuthority(root, keys.privateKey, true);
  }

  /** PEM: what clients have to trust. */
  get root(): string {
    return `${this.#root.toString("pem")}\n`;
  }

  /** Whether it issued the first certificate of a PEM. */
  issued(chain: string): boolean {
    try {
      return new x509.X509Certificate(x509.PemConverter.decodeFirst(chain)).issuer === this.#root.subject;
    } catch {
      return false;
    }
  }

  /** For names, `*.name`, and IP literals; until when, ms since the epoch. */
  async issue(names: readonly string[]): Promise<KeyPair & { readonly notAfter: number }> {
    const keys = await newKeys(), life = about(LEAF_LIFE);
    const certificate = await x509.X509CertificateGenerator.create({
      ...life,
      subject: [{ O: ["ugate development certificate"] }],
      issuer: this.#root.subjectName,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([SERVER]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: parseIp(value) ? "ip" as const : "dns" as const, value })),
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(this.#root.publicKey),
      ],
    });
    return {
      chain: `${certificate.toString("pem")}\n`,
      key: `${await keyText(keys.privateKey)}\n`,
      notAfter: life.notAfter.getTime(),
    };
  }
}

/** What every certificate has: `days` it is good for. */
function about(days: number) {
  const now = Date.now();
  return {
    serialNumber: newSerial(),
    notBefore: new Date(now - BEFORE),
    notAfter: new Date(now - BEFORE + days * DAY),
    signingAlgorithm: ALGORITHM,
  };
}

/** RFC 5280 4.1.2.2: positive. */
const newSerial = (): string =>
  crypto.getRandomValues(new Uint8Array(16)).map((byte, i) => i > 0 ? byte : byte & 0x3f | 0x40).toHex();

const newKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);

const importKey = (pkcs8: ArrayBuffer): Promise<CryptoKey> =>
  crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]);

const keyText = async (key: CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
