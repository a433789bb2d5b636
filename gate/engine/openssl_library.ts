/**
 * libssl.so.3 and libcrypto.so.3 by FFI: found and opened at the first use of a thread, the newest of this machine.
 * Lengths and results are i32, for usize and isize would cost a BigInt a call.
 */
import { GateError } from "../errors.ts";

const SSL_SYMBOLS = {
  TLS_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_free: { parameters: ["pointer"], result: "void" },
  SSL_CTX_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i32" },
  SSL_CTX_add1_chain_cert: {
    name: "SSL_CTX_ctrl", // a macro: SSL_CTRL_CHAIN_CERT, 1
    parameters: ["pointer", "i32", "i64", "pointer"],
    result: "i32",
  },
  SSL_CTX_set_options: { parameters: ["pointer", "u64"], result: "u64" },
  SSL_CTX_set_cipher_list: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_CTX_set_security_level: { parameters: ["pointer", "i32"], result: "void" },
  SSL_CTX_set_num_tickets: { parameters: ["pointer", "usize"], result: "i32" },
  SSL_CTX_set_session_id_context: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_CTX_set_verify: { parameters: ["pointer", "i32", "pointer"], result: "void" },
  SSL_CTX_set1_cert_store: { parameters: ["pointer", "pointer"], result: "void" },
  SSL_CTX_get_cert_store: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_add_client_CA: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_use_certificate: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_use_PrivateKey: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_use_PrivateKey_ASN1: { parameters: ["i32", "pointer", "buffer", "i64"], result: "i32" },
  SSL_CTX_check_private_key: { parameters: ["pointer"], result: "i32" },
  SSL_CTX_set_alpn_select_cb: { parameters: ["pointer", "function", "pointer"], result: "void" },
  SSL_CTX_set_alpn_protos: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_set_session_id_context: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_set_bio: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  SSL_set_accept_state: { parameters: ["pointer"], result: "void" },
  SSL_set_connect_state: { parameters: ["pointer"], result: "void" },
  SSL_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i32" },
  SSL_set1_host: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_set_hostflags: { parameters: ["pointer", "u32"], result: "void" },
  SSL_get0_param: { parameters: ["pointer"], result: "pointer" },
  SSL_new_session_ticket: { parameters: ["pointer"], result: "i32" },
  SSL_do_handshake: { parameters: ["pointer"], result: "i32" },
  SSL_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_shutdown: { parameters: ["pointer"], result: "i32" },
  SSL_get_error: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_has_pending: { parameters: ["pointer"], result: "i32" },
  SSL_version: { parameters: ["pointer"], result: "i32" },
  SSL_session_reused: { parameters: ["pointer"], result: "i32" },
  SSL_get0_alpn_selected: { parameters: ["pointer", "buffer", "buffer"], result: "void" },
  SSL_get1_peer_certificate: { parameters: ["pointer"], result: "pointer" },
  SSL_get1_session: { parameters: ["pointer"], result: "pointer" },
  SSL_set_session: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_SESSION_is_resumable: { parameters: ["pointer"], result: "i32" },
  SSL_SESSION_free: { parameters: ["pointer"], result: "void" },
  SSL_get_verify_result: { parameters: ["pointer"], result: "i32" },
} as const;

const CRYPTO_SYMBOLS = {
  OpenSSL_version: { parameters: ["i32"], result: "pointer" },
  OPENSSL_info: { parameters: ["i32"], result: "pointer" },
  BIO_new_mem_buf: { parameters: ["buffer", "i32"], result: "pointer" },
  BIO_free: { parameters: ["pointer"], result: "i32" },
  BIO_up_ref: { parameters: ["pointer"], result: "i32" },
  BIO_ctrl_pending: { parameters: ["pointer"], result: "i32" },
  BIO_new_bio_pair: { parameters: ["buffer", "usize", "buffer", "usize"], result: "i32" },
  BIO_nread: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  BIO_nwrite0: { parameters: ["pointer", "buffer"], result: "i32" },
  BIO_nwrite: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  PEM_read_bio_X509: { parameters: ["pointer", "pointer", "pointer", "buffer"], result: "pointer" },
  PEM_read_bio_PrivateKey: { parameters: ["pointer", "pointer", "pointer", "buffer"], result: "pointer" },
  EVP_aes_256_cbc: { parameters: [], result: "pointer" },
  EVP_CipherInit_ex: {
    parameters: ["pointer", "pointer", "pointer", "buffer", "pointer", "i32"],
    result: "i32",
  },
  EVP_CipherInit_iv: { // with the IV in memory of ours
    name: "EVP_CipherInit_ex",
    parameters: ["pointer", "pointer", "pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_CIPHER_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "buffer"], result: "i32" },
  EVP_CipherUpdate: { parameters: ["pointer", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  EVP_CipherFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_aes_128_gcm: { parameters: [], result: "pointer" },
  EVP_aes_256_gcm: { parameters: [], result: "pointer" },
  EVP_aes_128_ctr: { parameters: [], result: "pointer" },
  EVP_aes_192_ctr: { parameters: [], result: "pointer" },
  EVP_aes_256_ctr: { parameters: [], result: "pointer" },
  EVP_chacha20: { parameters: [], result: "pointer" },
  EVP_MAC_init: { parameters: ["pointer", "buffer", "usize", "pointer"], result: "i32" },
  EVP_MAC_key: { // with a length that costs no BigInt
    name: "EVP_MAC_init",
    parameters: ["pointer", "buffer", "u32", "buffer"],
    result: "i32",
  },
  EVP_MAC_fetch: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  EVP_MAC_CTX_new: { parameters: ["pointer"], result: "pointer" },
  EVP_MAC_update: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  EVP_MAC_final: { parameters: ["pointer", "buffer", "buffer", "u32"], result: "i32" },
  EVP_PKEY_CTX_new: { parameters: ["pointer", "pointer"], result: "pointer" },
  EVP_PKEY_CTX_new_id: { parameters: ["i32", "pointer"], result: "pointer" },
  EVP_PKEY_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_CTX_set_ec_paramgen_curve_nid: { parameters: ["pointer", "i32"], result: "i32" },
  EVP_PKEY_keygen_init: { parameters: ["pointer"], result: "i32" },
  EVP_PKEY_generate: { parameters: ["pointer", "buffer"], result: "i32" },
  EVP_PKEY_get_octet_string_param: {
    parameters: ["pointer", "buffer", "buffer", "u32", "buffer"],
    result: "i32",
  },
  EVP_PKEY_derive_init: { parameters: ["pointer"], result: "i32" },
  EVP_PKEY_derive_set_peer_ex: { parameters: ["pointer", "pointer", "i32"], result: "i32" },
  EVP_PKEY_derive: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_PKEY_new: { parameters: [], result: "pointer" },
  EVP_PKEY_copy_parameters: { parameters: ["pointer", "pointer"], result: "i32" },
  EVP_PKEY_set1_encoded_public_key: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_reset: { parameters: ["pointer"], result: "i32" },
  EVP_sha256: { parameters: [], result: "pointer" },
  EVP_sha384: { parameters: [], result: "pointer" },
  EVP_sha512: { parameters: [], result: "pointer" },
  EVP_DigestVerifyInit: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_DigestVerify: { parameters: ["pointer", "buffer", "usize", "buffer", "usize"], result: "i32" },
  EVP_DigestSignInit: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_DigestSign: { parameters: ["pointer", "buffer", "buffer", "buffer", "usize"], result: "i32" },
  d2i_KeyParams: { parameters: ["i32", "pointer", "buffer", "i64"], result: "pointer" },
  d2i_PublicKey: { parameters: ["i32", "pointer", "buffer", "i64"], result: "pointer" },
  d2i_AutoPrivateKey: { parameters: ["pointer", "buffer", "i64"], result: "pointer" },
  X509_get_default_cert_dir: { parameters: [], result: "pointer" },
  X509_get_default_cert_file: { parameters: [], result: "pointer" },
  X509_STORE_new: { parameters: [], result: "pointer" },
  X509_STORE_load_path: { parameters: ["pointer", "buffer"], result: "i32" },
  X509_STORE_load_file: { parameters: ["pointer", "buffer"], result: "i32" },
  X509_free: { parameters: ["pointer"], result: "void" },
  X509_get0_notAfter: { parameters: ["pointer"], result: "pointer" },
  ASN1_TIME_diff: { parameters: ["buffer", "buffer", "pointer", "pointer"], result: "i32" },
  X509_STORE_add_cert: { parameters: ["pointer", "pointer"], result: "i32" },
  X509_VERIFY_PARAM_set1_ip_asc: { parameters: ["pointer", "buffer"], result: "i32" },
  X509_verify_cert_error_string: { parameters: ["i64"], result: "pointer" },
  i2d_X509: { parameters: ["pointer", "buffer"], result: "i32" },
  ERR_get_error: { parameters: [], result: "u32" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_reason_error_string: { parameters: ["u64"], result: "pointer" },
} as const;

export interface OpenSsl {
  readonly ssl: Deno.DynamicLibrary<typeof SSL_SYMBOLS>["symbols"];
  readonly crypto: Deno.DynamicLibrary<typeof CRYPTO_SYMBOLS>["symbols"];
  /** As the library says it: `OpenSSL 3.0.15 3 Sep 2024`. */
  readonly version: string;
  /** The folder it came from; empty: the dynamic loader's choice. */
  readonly folder: string;
}

const LIBSSL = "libssl.so.3", LIBCRYPTO = "libcrypto.so.3";
const MACHINE = `${Deno.build.arch}-linux-gnu`;
/** Where distributions and `make install` put libraries; what the dynamic loader knows beyond them comes last. */
const FOLDERS = [
  `/usr/lib/${MACHINE}`,
  `/lib/${MACHINE}`,
  "/usr/lib64",
  "/lib64",
  "/usr/lib",
  "/lib",
  `/usr/local/lib/${MACHINE}`,
  "/usr/local/lib64",
  "/usr/local/lib",
  "/usr/local/ssl/lib64",
  "/usr/local/ssl/lib",
];

let opened: OpenSsl | undefined;

/** The library, opened once per thread. Throws GateError "unsupported" where there is none. */
export function openssl(): OpenSsl {
  return opened ??= openIn(newest([...preferred(), ...FOLDERS]));
}

/** `OpenSSL 3.0.15 3 Sep 2024 (/usr/lib/x86_64-linux-gnu)`; null: there is none. */
export function opensslVersion(): string | null {
  try {
    const { version, folder } = openssl();
    return folder === "" ? version : `${version} (${folder.slice(0, -1)})`;
  } catch (thrown) {
    if (thrown instanceof GateError) return null;
    throw thrown;
  }
}

/** `folder` empty: wherever the dynamic loader finds it. libssl then finds this libcrypto as loaded already. */
export function openIn(folder: string): OpenSsl {
  try {
    const { symbols: crypto } = Deno.dlopen(folder + LIBCRYPTO, CRYPTO_SYMBOLS);
    const { symbols: ssl } = Deno.dlopen(folder + LIBSSL, SSL_SYMBOLS);
    return { ssl, crypto, version: textAt(crypto.OpenSSL_version(0)), folder };
  } catch (thrown) {
    const packages = "install OpenSSL 3 (Debian: libssl3t64, before Debian 13 libssl3)";
    throw new GateError(
      "unsupported",
      "gate",
      `Cannot speak TLS: ${folder}${LIBSSL} does not open, ${packages}`,
      thrown,
    );
  }
}

/** Where the dynamic loader is told to look first. */
const preferred = (): string[] =>
  (Deno.env.get("LD_LIBRARY_PATH") ?? "").split(":").filter((each) => each !== "");

/**
 * The folder, with a slash, that has the newest of both libraries; empty where none has them. Every thread of a process
 * finds the same: the loader keeps one libcrypto by its name, and libssl takes the symbols of the first.
 */
export function newest(folders: readonly string[]): string {
  const found = new Map<string, string>(); // the folder by its libcrypto: /lib is /usr/lib under another name
  for (const folder of folders) {
    const real = realPath(`${folder}/${LIBCRYPTO}`);
    if (real && realPath(`${folder}/${LIBSSL}`) && !found.has(real)) found.set(real, `${folder}/`);
  }
  if (found.size <= 1) return [...found.values()][0] ?? "";
  const byVersion = [...found].map(([real, folder]) => ({ folder, version: versionIn(real) }));
  return byVersion.reduce((best, each) => each.version > best.version ? each : best).folder;
}

function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch { // not there, or not for us
    return undefined;
  }
}

/** The version that a libcrypto has in it, comparable, without loading it: that could not be undone. 0: none found. */
function versionIn(path: string): number {
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  const [, major, minor, patch] = /OpenSSL (\d{1,3})\.(\d{1,3})\.(\d{1,3}) /.exec(text) ?? [0, 0, 0, 0];
  return Number(major) * 1e6 + Number(minor) * 1e3 + Number(patch);
}

/** What C has as a string there; empty where there is none. */
export function textAt(place: Deno.PointerValue): string {
  return place === null ? "" : Deno.UnsafePointerView.getCString(place);
}

/** A string as C wants it. */
export const cString = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text + "\0");

/** Why a call failed: `reason` as the part of OpenSSL that was asked about has it (else 0), and in words. */
export interface OpenSslError {
  readonly reason: number;
  readonly text: string;
}

const PART_SHIFT = 23, PART = 0xff, REASON = 0x7fffff;
/** The parts of OpenSSL whose reasons are told apart (err.h). */
export const OF_PEM = 9, OF_SSL = 20;

/** Takes the first error of this thread's queue, and clears the rest, or the next connection would inherit it. */
export function takeError({ crypto }: OpenSsl, of = OF_SSL): OpenSslError {
  const code = crypto.ERR_get_error();
  crypto.ERR_clear_error();
  const text = textAt(crypto.ERR_reason_error_string(BigInt(code)));
  return {
    reason: (code >>> PART_SHIFT & PART) === of ? code & REASON : 0,
    text: text === "" ? `error ${code}` : text,
  };
}
