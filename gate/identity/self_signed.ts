/** The certificate that a node signs itself: whoever knows its ID believes it for its key, and for nothing else. */
import * as x509 from "@peculiar/x509";
import { about, ECDSA } from "../certificate_parts.ts";
import { GateError } from "../errors.ts";
import type { KeyKind } from "./public_key.ts";

/** Days: ten years, for nobody looks at its end who looks at the key. */
const LIFE = 3650;
const SERVER = "1.3.6.1.5.5.7.3.1", CLIENT = "1.3.6.1.5.5.7.3.2";
/** RFC 5280, ub-common-name. */
const LONGEST_COMMON_NAME = 64;
const { digitalSignature } = x509.KeyUsageFlags;

/** How keys of each kind sign. */
const ALGORITHMS: Readonly<Record<KeyKind, EcKeyImportParams | RsaHashedImportParams>> = {
  "P-256": ECDSA,
  "P-384": { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as EcKeyImportParams,
  "P-521": { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" } as EcKeyImportParams,
  Ed25519: { name: "Ed25519" } as EcKeyImportParams,
  RSA: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};

/** PEM. `name`: NAME.DOMAIN, its one name in the DNS. Rejects with GateError for a key that cannot sign one here. */
export async function selfSigned(
  { kind, pkcs8, spki }: { readonly kind: KeyKind; readonly pkcs8: Uint8Array; readonly spki: Uint8Array },
  name: string,
): Promise<string> {
  const algorithm = ALGORITHMS[kind], [label, ...domain] = name.split(".");
  try {
    const keys = {
      privateKey: await crypto.subtle.importKey("pkcs8", pkcs8.slice(), algorithm, false, ["sign"]),
      publicKey: await crypto.subtle.importKey("spki", spki.slice(), algorithm, true, ["verify"]),
    };
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...about(LIFE, algorithm),
      name: [{ O: [domain.join(".")] }, { CN: [name.length > LONGEST_COMMON_NAME ? label : name] }],
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([SERVER, CLIENT]),
        new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return `${certificate.toString("pem")}\n`;
  } catch (thrown) {
    const state = `${kind} keys do not sign one here, give node.certificate`;
    throw new GateError("unsupported", "gate", `Cannot make a certificate for the node: ${state}`, thrown);
  }
}
