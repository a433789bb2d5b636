/** Contexts of TLS (SSL_CTX): a certificate with its key, whom they believe and what they offer, made from memory. */
import { createHash } from "node:crypto";
import { GateError } from "../errors.ts";
import { cString, type OpenSsl, openssl, takeError } from "./openssl_library.ts";
import { eachCertificate, unusable, withBio } from "./openssl_certificates.ts";
import { trustSystem } from "./openssl_roots.ts";
import { selectAlpn } from "./openssl_alpn.ts";
import { TICKET_KEY_SIZE, type TicketKey, ticketKeysOf } from "./openssl_tickets.ts";

/** A certificate, the intermediate ones behind it, and its private key: PEM. */
export interface KeyPair {
  readonly chain: string;
  readonly key: string;
  /** The same key: read in a quarter of the time. */
  readonly der?: DerKey;
}

/** A private key in DER (PKCS #8) that is known to be of this type. */
export interface DerKey {
  readonly type: keyof typeof KEY_TYPES;
  readonly bytes: Uint8Array;
}

/** obj_mac.h: NID_rsaEncryption, NID_X9_62_id_ecPublicKey. */
export const KEY_TYPES = { rsa: 6, ec: 408 } as const;

export interface ServerSettings {
  readonly keyPair: KeyPair;
  /** What is spoken inside, preferred first. Empty: what the client offers is not looked at. */
  readonly alpn: readonly string[];
  /** Roots in PEM for the certificates of clients; without `require` a client may have none. */
  readonly clientCertificates?: { readonly roots: string; readonly require: boolean };
  /** 80 bytes each, the newest first, the same for every thread. Without them no session is resumed. */
  readonly ticketKeys?: Uint8Array;
  /** Listener and name. A ticket resumes where this and `clientCertificates` are those it was issued under. */
  readonly scope: string;
}

export interface ClientSettings {
  /** PEM, or those of the system. "any": whoever answers is believed. */
  readonly roots: { readonly pem: string } | "system" | "any";
  /** What is offered, preferred first. */
  readonly alpn: readonly string[];
  /** Who we are, where the server asks. */
  readonly keyPair?: KeyPair;
}

/** Contexts of this thread that were made and not freed. */
export const liveContexts = { count: 0 };

// ssl.h, tls1.h
const CTRL_MODE = 33, CTRL_READ_AHEAD = 41, CTRL_SESSION_CACHE = 44, CTRL_TICKET_KEYS = 59;
const CTRL_CHAIN_CERT = 89, CTRL_MIN_VERSION = 123;
const MODE_MOVING_BUFFER = 2n, MODE_RELEASE_BUFFERS = 16n;
const NO_TICKET = 1n << 14n, NO_COMPRESSION = 1n << 17n, NO_RENEGOTIATION = 1n << 30n;
const SERVER_PREFERENCE = 1n << 22n, PRIORITIZE_CHACHA = 1n << 21n;
const VERIFY_NONE = 0, VERIFY_PEER = 1, FAIL_WITHOUT_CERTIFICATE = 2;
const TLS_1_2 = 0x303n;
/** Keys, groups and signatures of 112 bits or more: RSA from 2048 bits on, no SHA-1. Not every build's default. */
const SECURITY_LEVEL = 2;
/** What TLS 1.2 may use: forward secrecy and authenticated encryption (RFC 9325 4.2). TLS 1.3 has nothing else. */
const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20";

/** One SSL_CTX. It may be freed while connections use it: they keep what they need. */
export class Context implements Disposable {
  readonly library: OpenSsl;
  #pointer: Deno.PointerObject;
  /** The peer is asked for a certificate. */
  asksCertificate = false;
  /** Something is agreed on of what is spoken inside. */
  hasAlpn = false;
  #ticketKey: TicketKey | undefined;
  /** Those that only open. */
  olderTicketKeys: readonly TicketKey[] = [];
  /** Of the client's side: the last session with each server, by its name. */
  readonly #sessions = new Map<string, Deno.PointerObject>();
  #freed = false;

  /** @internal by serverContext and clientContext. */
  constructor(library: OpenSsl, readonly isServer: boolean) {
    const pointer = library.ssl.SSL_CTX_new(library.ssl.TLS_method());
    if (pointer === null) {
      throw new GateError("exhausted", "gate", `Cannot make a TLS context: ${takeError(library).text}`);
    }
    this.library = library;
    this.#pointer = pointer;
    liveContexts.count++;
    const { ssl } = library;
    ssl.SSL_CTX_set_security_level(pointer, SECURITY_LEVEL);
    ssl.SSL_CTX_ctrl(pointer, CTRL_MODE, MODE_MOVING_BUFFER | MODE_RELEASE_BUFFERS, null);
    ssl.SSL_CTX_ctrl(pointer, CTRL_READ_AHEAD, 1n, null);
    ssl.SSL_CTX_ctrl(pointer, CTRL_SESSION_CACHE, 0n, null); // tickets alone
    ssl.SSL_CTX_ctrl(pointer, CTRL_MIN_VERSION, TLS_1_2, null);
    ssl.SSL_CTX_set_options(pointer, NO_COMPRESSION | NO_RENEGOTIATION);
  }

  get pointer(): Deno.PointerObject {
    if (this.#freed) throw new GateError("internal", "gate", "Cannot use a TLS context: it was freed");
    return this.#pointer;
  }

  /** New connections issue tickets under the first of these keys, and accept them under all. Throws "internal". */
  setTicketKeys(keys: Uint8Array): void {
    const [newest, ...older] = ticketKeysOf(keys);
    this.#ticketKey = newest;
    this.olderTicketKeys = older;
    this.#useTicketKey(newest);
  }

  /** Whether sessions are resumed. */
  get hasTickets(): boolean {
    return this.#ticketKey !== undefined;
  }

  /** Takes a step of a handshake whose ticket an older key sealed. */
  openTicketUnder<T>(key: TicketKey, step: () => T): T {
    this.#useTicketKey(key);
    try {
      return step();
    } finally {
      this.#useTicketKey(this.#ticketKey!);
    }
  }

  #useTicketKey(key: TicketKey): void {
    this.library.ssl.SSL_CTX_ctrl(this.pointer, CTRL_TICKET_KEYS, BigInt(TICKET_KEY_SIZE), key);
  }

  /** The session that a connection to this server may resume, if it still may: valid until the next one is kept. */
  sessionWith(server: string): Deno.PointerObject | undefined {
    const session = this.#sessions.get(server);
    if (session === undefined || this.library.ssl.SSL_SESSION_is_resumable(session) === 1) return session;
    this.#sessions.delete(server);
    this.library.ssl.SSL_SESSION_free(session);
    return undefined;
  }

  /** Owns the session: it is the one to resume with this server, if it can be. */
  keepSession(server: string, session: Deno.PointerObject): void {
    const { ssl } = this.library;
    const fit = !this.#freed && ssl.SSL_SESSION_is_resumable(session) === 1;
    const unused = fit ? this.#sessions.get(server) : session;
    if (fit) this.#sessions.set(server, session);
    if (unused) ssl.SSL_SESSION_free(unused);
  }

  /** The second time it does nothing. */
  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#freed = true;
    liveContexts.count--;
    for (const session of this.#sessions.values()) this.library.ssl.SSL_SESSION_free(session);
    this.#sessions.clear();
    this.library.ssl.SSL_CTX_free(this.#pointer);
  }
}

/** Throws GateError: "malformed" for a certificate, key or root that cannot be used, "unsupported" without libssl. */
export function serverContext(settings: ServerSettings): Context {
  return filled(new Context(openssl(), true), (context) => {
    const { library: { ssl }, pointer } = context, { clientCertificates: asked, ticketKeys } = settings;
    ssl.SSL_CTX_set_cipher_list(pointer, cString(CIPHERS));
    ssl.SSL_CTX_set_options(pointer, SERVER_PREFERENCE | PRIORITIZE_CHACHA | (ticketKeys ? 0n : NO_TICKET));
    useKeyPair(context, settings.keyPair);
    ssl.SSL_CTX_set_num_tickets(pointer, 0n); // a connection issues its own
    if (ticketKeys) context.setTicketKeys(ticketKeys);
    const digest = createHash("sha256").update(JSON.stringify([settings.scope, asked])).digest();
    ssl.SSL_CTX_set_session_id_context(pointer, digest, digest.length);
    if (asked) {
      context.asksCertificate = true;
      trust(context, asked.roots, (root) => ssl.SSL_CTX_add_client_CA(pointer, root));
      ssl.SSL_CTX_set_verify(pointer, VERIFY_PEER | (asked.require ? FAIL_WITHOUT_CERTIFICATE : 0), null);
    }
    context.hasAlpn = settings.alpn.length > 0;
    if (context.hasAlpn) {
      alpnList(settings.alpn); // throws
      selectAlpn(context.library, pointer, settings.alpn);
    }
  });
}

/** Throws as serverContext. */
export function clientContext({ roots, alpn, keyPair }: ClientSettings): Context {
  return filled(new Context(openssl(), false), (context) => {
    const { library: { ssl }, pointer } = context;
    context.asksCertificate = true;
    context.hasAlpn = alpn.length > 0;
    ssl.SSL_CTX_set_verify(pointer, roots === "any" ? VERIFY_NONE : VERIFY_PEER, null);
    if (roots === "system") trustSystem(context.library, pointer);
    else if (roots !== "any") trust(context, roots.pem, () => 1);
    if (keyPair) useKeyPair(context, keyPair);
    const wire = alpnList(alpn);
    if (context.hasAlpn) ssl.SSL_CTX_set_alpn_protos(pointer, wire, wire.length);
  });
}

function filled(context: Context, fill: (context: Context) => void): Context {
  try {
    fill(context);
    return context;
  } catch (thrown) {
    context[Symbol.dispose]();
    throw thrown;
  } finally {
    context.library.crypto.ERR_clear_error();
  }
}

function useKeyPair({ library, pointer }: Context, { chain, key, der }: KeyPair): void {
  const { ssl } = library;
  eachCertificate(
    library,
    chain,
    "a certificate",
    (at) => at > 0,
    (certificate, at) =>
      at === 0
        ? ssl.SSL_CTX_use_certificate(pointer, certificate)
        : ssl.SSL_CTX_add1_chain_cert(pointer, CTRL_CHAIN_CERT, 1n, certificate),
  );
  if (der) useDerKey(library, pointer, der);
  else usePemKey(library, pointer, key);
}

function useDerKey(library: OpenSsl, pointer: Deno.PointerObject, { type, bytes }: DerKey): void {
  const { ssl } = library, size = BigInt(bytes.length);
  const matches = ssl.SSL_CTX_use_PrivateKey_ASN1(KEY_TYPES[type], pointer, bytes.slice(), size) === 1 &&
    ssl.SSL_CTX_check_private_key(pointer) === 1;
  if (!matches) throw unusable("a private key", "it is not what it was read as", library);
}

function usePemKey(library: OpenSsl, pointer: Deno.PointerObject, key: string): void {
  const { ssl, crypto } = library;
  withBio(library, key, (bio) => {
    // An empty passphrase: with none at all OpenSSL would ask on the terminal.
    const loaded = crypto.PEM_read_bio_PrivateKey(bio, null, null, cString(""));
    if (loaded === null) throw unusable("a private key", "no PEM of one without a passphrase", library);
    // A key of another kind than the certificate's is set beside it: only the second call tells.
    const matches = ssl.SSL_CTX_use_PrivateKey(pointer, loaded) === 1 &&
      ssl.SSL_CTX_check_private_key(pointer) === 1;
    crypto.EVP_PKEY_free(loaded);
    if (!matches) throw unusable("a private key", "it does not belong to the certificate", library);
  });
}

function trust({ library, pointer }: Context, pem: string, also: (root: Deno.PointerObject) => number): void {
  const store = library.ssl.SSL_CTX_get_cert_store(pointer);
  eachCertificate(
    library,
    pem,
    "a root certificate",
    () => true,
    (root) => library.crypto.X509_STORE_add_cert(store, root) === 1 ? also(root) : 0,
  );
}

/** RFC 7301 3.1: each name behind a byte that says its length. */
function alpnList(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoded = names.map((name) => new TextEncoder().encode(name));
  const wrong = encoded.findIndex(({ length }) => length === 0 || length > 255);
  if (wrong >= 0) {
    throw new GateError(
      "internal",
      "gate",
      `Cannot offer a protocol: "${names[wrong]}" is not 1 to 255 bytes`,
    );
  }
  return Uint8Array.from(encoded.flatMap((name) => [name.length, ...name]));
}
