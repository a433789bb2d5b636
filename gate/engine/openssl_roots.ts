/** The roots of this system, from where OpenSSL has them: one store for all contexts of a thread. */
import { GateError } from "../errors.ts";
import { cString, type OpenSsl, takeError, textAt } from "./openssl_library.ts";

/** What `openssl rehash` calls a certificate: the hash of its subject, and a number. */
const HASHED = /^[0-9a-f]{8}\.[0-9]+$/;

let store: Deno.PointerObject | undefined;

/** Has a context believe them. Throws GateError "exhausted". */
export function trustSystem(library: OpenSsl, context: Deno.PointerObject): void {
  library.ssl.SSL_CTX_set1_cert_store(context, systemStore(library));
}

/**
 * Made at a thread's first use. From directories of hashed names OpenSSL reads a root when it needs it. A file of all of
 * them takes 0.1 s, and is read where it is the only way, or one that `SSL_CERT_FILE` gives and no such directory has.
 */
export function systemStore(library: OpenSsl): Deno.PointerObject {
  if (store) return store;
  const { crypto } = library, made = crypto.X509_STORE_new();
  if (made === null) {
    throw new GateError("exhausted", "gate", `Cannot make a store of roots: ${takeError(library).text}`);
  }
  const directories = Deno.env.get("SSL_CERT_DIR") || textAt(crypto.X509_get_default_cert_dir());
  const hashed = directories.split(":").filter(hasHashed), given = Deno.env.get("SSL_CERT_FILE");
  if (hashed.length > 0) crypto.X509_STORE_load_path(made, cString(hashed.join(":")));
  const file = given || (hashed.length > 0 ? "" : textAt(crypto.X509_get_default_cert_file()));
  if (file && !hashed.includes(file.replace(/\/[^/]*$/, ""))) {
    crypto.X509_STORE_load_file(made, cString(file));
  }
  crypto.ERR_clear_error(); // where there is none nobody is believed
  return store = made;
}

function hasHashed(directory: string): boolean {
  try {
    for (const { name } of Deno.readDirSync(directory)) if (HASHED.test(name)) return true;
    return false;
  } catch { // not there, or not for us
    return false;
  }
}
