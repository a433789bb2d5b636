/**
 * Files of private keys: PEM (PKCS #8, PKCS #1, SEC 1), OpenSSH's own and PuTTY's, with a passphrase or without. What
 * node:crypto does not read ssh2 does, whose parser is loaded for that alone.
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { GateError } from "../errors.ts";

/** What ssh2's parser answers: an Error where it read none, and a list of keys, maybe empty, for some formats. */
interface Ssh2Key {
  getPrivatePEM(): string | null;
  isPrivateKey(): boolean;
}
type ParseKey = (text: string, passphrase?: string) => Ssh2Key | readonly Ssh2Key[] | Error;

/** Lines in front of a key that ssh2 reads. */
const OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----", PUTTY = /^PuTTY-User-Key-File-(\d)/;
const ENCRYPTED = /^-----BEGIN ENCRYPTED PRIVATE KEY-----$|^Proc-Type: 4,ENCRYPTED$/m;
const SEC1 = "-----BEGIN EC PRIVATE KEY-----";
// X.690 8
const LONG = 0x81, VERSION_OCTETS = 3, UNCOMPRESSED = 4;
/** By the octets of a coordinate. */
const CURVES: Readonly<Record<number, string>> = { 32: "P-256", 48: "P-384", 66: "P-521" };
/** One with 16384 bits has 13 KiB. */
const MOST_CHARACTERS = 65536;
const READABLE = "a private key in PEM, or in OpenSSH's format";

/**
 * The key of a file's text. Deriving a key from a passphrase takes a tenth of a second and more, so not on the engine.
 * Rejects with GateError: "malformed" where it is none, "unauthenticated" where the passphrase is missing or wrong.
 */
export async function readPrivateKey(text: string, passphrase?: string): Promise<KeyObject> {
  if (text.length > MOST_CHARACTERS) throw unreadable(`expected ${READABLE}`);
  const trimmed = text.trim();
  const putty = PUTTY.exec(trimmed)?.[1];
  if (putty !== undefined || trimmed.startsWith(OPENSSH)) return await bySsh2(trimmed, passphrase, putty);
  const encrypted = ENCRYPTED.test(trimmed);
  if (encrypted && passphrase === undefined) throw locked("it has a passphrase");
  try {
    return createPrivateKey(encrypted ? { key: trimmed, passphrase } : trimmed);
  } catch (thrown) {
    throw encrypted
      ? locked("its passphrase is another one", thrown)
      : unreadable(`expected ${READABLE}`, thrown);
  }
}

async function bySsh2(
  text: string,
  passphrase: string | undefined,
  putty: string | undefined,
): Promise<KeyObject> {
  const { parseKey } = await import("ssh2/lib/protocol/keyParser.js") as { readonly parseKey: ParseKey };
  const parsed = attempt(() => parseKey(text, passphrase));
  const key: Ssh2Key | Error | undefined = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error) throw faultOf(key, passphrase, putty);
  const pem = key?.isPrivateKey() ? key.getPrivatePEM() : null; // a file may say that it has no keys
  if (pem === null) throw unreadable(`expected ${READABLE}`);
  const made = attempt(() => pem.startsWith(SEC1) ? ecKey(pem) : createPrivateKey(pem));
  if (made instanceof Error) throw unreadable(`expected ${READABLE}`, made);
  return made;
}

/**
 * Of the SEC 1 that ssh2 makes: ECPrivateKey (RFC 5915 3) with the number as OpenSSH has it, a zero in front or none,
 * where node:crypto wants as many octets as the curve has.
 */
function ecKey(pem: string): KeyObject {
  const der = Uint8Array.fromBase64(pem.replace(/-----.*-----|\s/g, ""));
  const at = contentAt(der, 0) + VERSION_OCTETS, from = contentAt(der, at), behind = from + der[at + 1];
  const number = der.subarray(from, behind), curve = contentAt(der, behind) + der[behind + 1];
  const point = der.subarray(contentAt(der, contentAt(der, curve)) + 1); // a BIT STRING without unused bits, to the end
  const octets = (point.length - 1) / 2, crv = CURVES[octets];
  if (crv === undefined || point[0] !== UNCOMPRESSED) throw new TypeError("no key of a curve that is known");
  const d = new Uint8Array(octets), bare = number.subarray(Math.max(0, number.length - octets));
  d.set(bare, octets - bare.length);
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const [x, y] = [point.slice(1, 1 + octets), point.slice(1 + octets)].map(text);
  return createPrivateKey({ key: { kty: "EC", crv, x, y, d: text(d) }, format: "jwk" });
}

/** Where the content of a value of DER begins. */
const contentAt = (der: Uint8Array, at: number): number => at + (der[at + 1] === LONG ? 3 : 2);

/** Some damaged files make it throw. */
function attempt<T>(act: () => T): T | Error {
  try {
    return act();
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

/** Its sentences tell nothing of what is in the file. */
function faultOf(error: Error, passphrase: string | undefined, putty: string | undefined): GateError {
  if (/no passphrase given/.test(error.message)) return locked("it has a passphrase", error);
  if (
    passphrase !== undefined &&
    /integrity check failed|bad passphrase|MAC mismatch|unable to authenticate/i.test(error.message)
  ) {
    return locked("its passphrase is another one", error);
  }
  if (/Unsupported cipher|Invalid key length/.test(error.message)) {
    const how = "ssh-keygen -p -Z aes256-ctr -f FILE gives it one that is";
    return unreadable(`the cipher of its file is not known, ${how}`, error);
  }
  if (putty !== undefined && /Unsupported key format/.test(error.message)) {
    const how = "puttygen FILE -O private-openssh -o NEW makes one that can be read";
    return unreadable(`of PuTTY's formats version 2 with RSA is known alone, ${how}`, error);
  }
  return unreadable(`expected ${READABLE}`, error);
}

const unreadable = (state: string, cause?: unknown): GateError =>
  new GateError("malformed", "gate", `Cannot use a private key: ${state}`, cause);

const locked = (state: string, cause?: unknown): GateError =>
  new GateError("unauthenticated", "gate", `Cannot use a private key: ${state}`, cause);
