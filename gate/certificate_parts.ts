/** What the certificates have in common that this gate makes itself: keys, serial numbers, times. */
import * as x509 from "@peculiar/x509";

/** P-256 with SHA-256. */
export const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY = 86_400_000;
/** Clocks differ. */
const BEFORE = 60 * 60_000;

/** What every certificate has: `days` it is good for. */
export function about(days: number, signingAlgorithm: object = ECDSA) {
  const now = Date.now();
  return {
    serialNumber: newSerial(),
    notBefore: new Date(now - BEFORE),
    notAfter: new Date(now - BEFORE + days * DAY),
    signingAlgorithm: signingAlgorithm as Algorithm,
  };
}

/** RFC 5280 4.1.2.2: positive. */
export const newSerial = (): string =>
  crypto.getRandomValues(new Uint8Array(16)).map((byte, i) => i > 0 ? byte : byte & 0x3f | 0x40).toHex();

export const newKeys = (): Promise<CryptoKeyPair> =>
  crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);

export const importKey = (pkcs8: BufferSource): Promise<CryptoKey> =>
  crypto.subtle.importKey("pkcs8", pkcs8, ECDSA, true, ["sign"]);

/** PEM. */
export const keyText = async (key: CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
