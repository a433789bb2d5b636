/**
 * Certificates of PEM texts. Those that several contexts may have (roots, and what stands behind a certificate in its
 * chain) are read once for a thread and kept: to read one takes as long as all else that a context costs.
 */
import { GateError } from "../errors.ts";
import { cString, OF_PEM, type OpenSsl, takeError } from "./openssl_library.ts";

const PEM_R_NO_START_LINE = 108;
const BEGIN = "-----BEGIN ", BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** A few KiB each. */
const MOST_KEPT = 1024;
/** By their PEM, those that were used last behind the others. */
const kept = new Map<string, Deno.PointerObject>();

/** Answers 1 where the certificate could be used: then it has a reference of its own to it. */
type Use = (certificate: Deno.PointerObject, at: number) => number;

/**
 * Hands over each certificate of a PEM; what stands between is no matter. `isShared` tells which ones others may have
 * too. Throws GateError "malformed".
 */
export function eachCertificate(
  library: OpenSsl,
  pem: string,
  what: string,
  isShared: (at: number) => boolean,
  use: Use,
): void {
  const blocks = pem.match(BLOCK) ?? [];
  const others = blocks.length === 0 || blocks.length < pem.split(BEGIN).length - 1;
  if (others) return readAll(library, pem, what, use); // other kinds of blocks: OpenSSL knows what they are
  for (const [at, block] of blocks.entries()) {
    const known = isShared(at) ? keep(library, block, what, at) : undefined;
    const certificate = known ?? read(library, block, what, at);
    const used = use(certificate, at);
    if (!known) library.crypto.X509_free(certificate);
    if (used !== 1) throw unusable(what, `number ${at + 1} of its PEM`, library);
  }
}

/** The one that is kept, from now on if it was not. */
function keep(library: OpenSsl, block: string, what: string, at: number): Deno.PointerObject {
  const certificate = kept.get(block) ?? read(library, block, what, at);
  kept.delete(block);
  kept.set(block, certificate);
  if (kept.size > MOST_KEPT) {
    const [[oldest, unused]] = kept;
    kept.delete(oldest);
    library.crypto.X509_free(unused); // contexts have references of their own
  }
  return certificate;
}

function read(library: OpenSsl, block: string, what: string, at: number): Deno.PointerObject {
  return withBio(library, block, (bio) => {
    const certificate = library.crypto.PEM_read_bio_X509(bio, null, null, cString(""));
    if (certificate !== null) return certificate;
    throw unreadable(what, at, takeError(library, OF_PEM).text);
  });
}

function readAll(library: OpenSsl, pem: string, what: string, use: Use): void {
  const { crypto } = library;
  withBio(library, pem, (bio) => {
    for (let at = 0;; at++) {
      const certificate = crypto.PEM_read_bio_X509(bio, null, null, cString(""));
      if (certificate === null) {
        const { reason, text } = takeError(library, OF_PEM);
        if (at > 0 && reason === PEM_R_NO_START_LINE) return; // the end
        throw unreadable(what, at, text);
      }
      const used = use(certificate, at);
      crypto.X509_free(certificate);
      if (used !== 1) throw unusable(what, `number ${at + 1} of its PEM`, library);
    }
  });
}

/** The text as OpenSSL reads it, during the call. */
export function withBio<T>(library: OpenSsl, text: string, use: (bio: Deno.PointerObject) => T): T {
  const bytes = new TextEncoder().encode(text), { crypto } = library;
  const bio = crypto.BIO_new_mem_buf(bytes, bytes.length); // reads where they are: until it is freed they stay
  if (bio === null) throw unusable("a PEM", "no memory", library);
  try {
    return use(bio);
  } finally {
    crypto.BIO_free(bio);
  }
}

const unreadable = (what: string, at: number, text: string): GateError =>
  new GateError("malformed", "gate", `Cannot use ${what}: number ${at + 1} of its PEM: ${text}`);

export function unusable(what: string, state: string, library: OpenSsl): GateError {
  return new GateError("malformed", "gate", `Cannot use ${what}: ${state} (${takeError(library).text})`);
}
