/** Certificates of OpenSSH (PROTOCOL.certkeys), of users and of hosts: read whole, then held against what is asked. */
import { certifiedType } from "./algorithms.ts";
import { type Constraints, readCritical, readExtensions } from "./certificate_options.ts";
import { fingerprint, type PublicKey, readKeyFields, readPublicKey } from "./public_key.ts";
import { type Verify, verifySignature } from "./signature.ts";
import { type Fields, Forgery, readWhole, Refusal, required } from "./fields.ts";

export interface Certificate {
  readonly kind: "user" | "host";
  /** Whose it is: its blob is the plain key's. */
  readonly key: PublicKey;
  /** Who issued it. */
  readonly authority: PublicKey;
  readonly serial: bigint;
  /** What its authority calls it, for the log. */
  readonly keyId: string;
  /** Users or hosts that it is for; none: nobody. */
  readonly principals: readonly string[];
  /** ms since the epoch, the end without it; Infinity: for ever. */
  readonly validAfter: number;
  readonly validBefore: number;
  readonly constraints: Constraints;
  /** Names of what it permits, known or not. */
  readonly extensions: ReadonlySet<string>;
  /** What the authority signed, and how. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Of the whole: more than a packet of SSH carries. */
export const MOST_CERTIFICATE_BYTES = 32768;
const MOST_NAME = 64, MOST_NONCE = 1024, MOST_KEY_ID = 1024;
/** As many as OpenSSH takes. */
const MOST_PRINCIPALS = 256;
const USER = 1, HOST = 2;

/** Whether a blob says that it is a certificate, whatever else it is. */
export function isCertificate(blob: Uint8Array): boolean {
  const type = readWhole(blob.subarray(0, 4 + MOST_NAME), (fields) => {
    const name = fields.text(MOST_NAME);
    fields.rest();
    return name;
  });
  return !(type instanceof Refusal) && certifiedType(type) !== undefined;
}

/** A copy of what the bytes say. Nothing is verified yet: see whyNot. */
export function readCertificate(bytes: Uint8Array): Certificate | Refusal {
  if (bytes.length > MOST_CERTIFICATE_BYTES) return new Refusal(`a certificate of ${bytes.length} bytes`);
  return readWhole(bytes.slice(), certificateOf);
}

function certificateOf(fields: Fields): Certificate {
  const name = fields.text(MOST_NAME), type = certifiedType(name);
  if (!type) throw new Refusal(`certificates of the type ${JSON.stringify(name)} are not taken`);
  fields.string(MOST_NONCE);
  const key = readKeyFields(type, fields);
  const serial = fields.uint64(), kind = kindOf(fields.uint32()), keyId = fields.text(MOST_KEY_ID);
  const principals = required(readWhole(fields.string(), principalsOf));
  const validAfter = milliseconds(fields.uint64()), validBefore = milliseconds(fields.uint64());
  const constraints = readCritical(fields.string()), extensions = readExtensions(fields.string());
  fields.string(); // reserved
  const authority = required(readPublicKey(fields.string())); // a plain key: no certificate issues another
  const signed = fields.bytes.subarray(0, fields.at), signature = fields.string();
  return {
    ...{ kind, key, authority, serial, keyId, principals, validAfter, validBefore },
    ...{ constraints, extensions, signed, signature },
  };
}

function kindOf(number: number): Certificate["kind"] {
  if (number === USER) return "user";
  if (number === HOST) return "host";
  throw new Refusal(`a certificate of the kind ${number}`);
}

function principalsOf(fields: Fields): string[] {
  const names: string[] = [];
  while (fields.left > 0) {
    if (names.push(fields.text(MOST_KEY_ID)) > MOST_PRINCIPALS) {
      throw new Refusal(`more than ${MOST_PRINCIPALS} principals`);
    }
  }
  return names;
}

/** Seconds as they are told; what no clock reaches is for ever. */
function milliseconds(seconds: bigint): number {
  const ms = Number(seconds) * 1000;
  return ms <= Number.MAX_SAFE_INTEGER ? ms : Infinity;
}

/** What is asked of a certificate besides its authority. */
export interface Asked {
  readonly kind: Certificate["kind"];
  /** ms since the epoch. */
  readonly now: number;
  /** One of its principals has to be this one; absent: who asks looks at them. */
  readonly principal?: string;
  /** See Demands. */
  readonly verify?: Verify;
}

/** Why it is not to be believed, whoever its authority is; undefined: it is. The signature is the last to be looked at. */
export function whyNot(
  certificate: Certificate,
  { kind, now, principal, verify }: Asked,
): Refusal | undefined {
  const { validAfter, validBefore, principals, constraints } = certificate;
  if (certificate.kind !== kind) return new Refusal(`it is the certificate of a ${certificate.kind}`);
  if (now < validAfter) return new Refusal("it is not valid yet");
  if (now >= validBefore) return new Refusal("it is not valid any more");
  if (principals.length === 0) return new Refusal("it has no principals");
  if (principal !== undefined && !principals.includes(principal)) {
    return new Refusal(`it is not for ${JSON.stringify(principal)}`);
  }
  const [unknown] = constraints.unknown;
  if (unknown !== undefined) return new Refusal(`it has the critical option ${JSON.stringify(unknown)}`);
  if (kind === "host" && constraints.names.length > 0) {
    return new Refusal(`it has the critical option ${constraints.names[0]}, which is for users`);
  }
  const { authority, signature, signed } = certificate;
  const verified = verifySignature(authority, signature, signed, { touch: false, verify });
  return verified === true ? undefined : new Forgery(`its authority did not sign it: ${verified.why}`);
}

/** One line for the log: what identifies it to people. */
export const describeCertificate = ({ keyId, serial, authority }: Certificate): string =>
  `${JSON.stringify(keyId)} (serial ${serial}) of ${fingerprint(authority.blob)}`;
