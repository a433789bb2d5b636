/** TLS of clients over a Wire, by libssl itself: every version, session and certificate that a client may come with. */
import { openssl } from "../../gate/engine/openssl_library.ts";
import type { Wire } from "./wire.ts";

const SSL = {
  TLS_client_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_ctrl: { parameters: ["pointer", "i32", "i64", "pointer"], result: "i64" },
  SSL_CTX_set_security_level: { parameters: ["pointer", "i32"], result: "void" },
  SSL_CTX_set_cipher_list: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_CTX_set_alpn_protos: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_CTX_set_verify: { parameters: ["pointer", "i32", "pointer"], result: "void" },
  SSL_CTX_load_verify_locations: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
  SSL_CTX_use_certificate_chain_file: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_CTX_use_PrivateKey_file: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_set_fd: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_set_bio: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  SSL_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i64" },
  SSL_set1_host: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_connect: { parameters: ["pointer"], result: "i32" },
  SSL_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_shutdown: { parameters: ["pointer"], result: "i32" },
  SSL_get_error: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_session_reused: { parameters: ["pointer"], result: "i32" },
  SSL_get1_session: { parameters: ["pointer"], result: "pointer" },
  SSL_set_session: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_SESSION_free: { parameters: ["pointer"], result: "void" },
  SSL_SESSION_is_resumable: { parameters: ["pointer"], result: "i32" },
  SSL_SESSION_get0_ticket: { parameters: ["pointer", "buffer", "buffer"], result: "void" },
} as const;
const CRYPTO = {
  BIO_s_mem: { parameters: [], result: "pointer" },
  BIO_new: { parameters: ["pointer"], result: "pointer" },
  BIO_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_reason_error_string: { parameters: ["u64"], result: "pointer" },
} as const;

const { folder } = openssl();
const { symbols: ssl } = Deno.dlopen(`${folder}libssl.so.3`, SSL);
const { symbols: crypto } = Deno.dlopen(`${folder}libcrypto.so.3`, CRYPTO);

// ssl.h
const SET_MIN_VERSION = 123, SET_MAX_VERSION = 124, SERVER_NAME = 55, PEM = 1, VERIFY_PEER = 1;
const ERROR_ZERO_RETURN = 6;
const VERSIONS = { "1.1": 0x302n, "1.2": 0x303n, "1.3": 0x304n } as const;
/** Sends at most a record, and reads one. */
const encoder = new TextEncoder();
const cString = (text: string) => encoder.encode(`${text}\0`);

export interface ClientOptions {
  readonly version: keyof typeof VERSIONS;
  /** Files of roots by which the server is believed; else anybody is. */
  readonly roots?: string;
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly alpn?: string;
  /** For TLS 1.2, in OpenSSL's words. */
  readonly ciphers?: string;
}

/** Why libssl's last call failed, in its words. */
function reason(): string {
  const code = crypto.ERR_get_error(), place = crypto.ERR_reason_error_string(code);
  crypto.ERR_clear_error();
  return place === null ? "closed" : Deno.UnsafePointerView.getCString(place);
}

/** What a kind of clients has in common; for the whole life of its thread. */
export class SecureContext {
  readonly pointer: Deno.PointerObject;

  constructor({ version, roots, certificate, alpn, ciphers }: ClientOptions) {
    const pointer = ssl.SSL_CTX_new(ssl.TLS_client_method());
    if (pointer === null) throw new Error(`Cannot make a context: ${reason()}`);
    this.pointer = pointer;
    ssl.SSL_CTX_set_security_level(pointer, 0); // it may ask for what the gate refuses
    ssl.SSL_CTX_ctrl(pointer, SET_MIN_VERSION, VERSIONS[version], null);
    ssl.SSL_CTX_ctrl(pointer, SET_MAX_VERSION, VERSIONS[version], null);
    const done = (!ciphers || ssl.SSL_CTX_set_cipher_list(pointer, cString(ciphers)) === 1) &&
      (!roots || ssl.SSL_CTX_load_verify_locations(pointer, cString(roots), null) === 1) &&
      (!certificate || ssl.SSL_CTX_use_certificate_chain_file(pointer, cString(certificate.cert)) === 1 &&
          ssl.SSL_CTX_use_PrivateKey_file(pointer, cString(certificate.key), PEM) === 1);
    if (!done) throw new Error(`Cannot make a context: ${reason()}`);
    if (roots) ssl.SSL_CTX_set_verify(pointer, VERIFY_PEER, null);
    if (!alpn) return;
    const wire = Uint8Array.of(alpn.length, ...encoder.encode(alpn));
    ssl.SSL_CTX_set_alpn_protos(pointer, wire, wire.length);
  }

  /** The first flight of a client that asks for that name. */
  hello(name: string): Uint8Array {
    const pointer = newConnection(this, name), read = crypto.BIO_new(crypto.BIO_s_mem());
    const write = crypto.BIO_new(crypto.BIO_s_mem()), bytes = new Uint8Array(4096);
    ssl.SSL_set_bio(pointer, read, write);
    ssl.SSL_connect(pointer); // it wants an answer
    const size = crypto.BIO_read(write, bytes, bytes.length);
    ssl.SSL_free(pointer);
    crypto.ERR_clear_error();
    return bytes.slice(0, size);
  }
}

function newConnection({ pointer }: SecureContext, name: string): Deno.PointerObject {
  const connection = ssl.SSL_new(pointer);
  if (connection === null) throw new Error(`Cannot begin TLS: ${reason()}`);
  ssl.SSL_ctrl(connection, SERVER_NAME, 0n, cString(name));
  ssl.SSL_set1_host(connection, cString(name));
  return connection;
}

/** What was agreed with a server, to be resumed. */
export class Session implements Disposable {
  #pointer: Deno.PointerValue;

  constructor(pointer: Deno.PointerObject) {
    this.#pointer = pointer;
  }

  get pointer(): Deno.PointerValue {
    return this.#pointer;
  }

  /** Its ticket is another one from now on, by one octet. */
  garble(at: number): void {
    const place = new BigUint64Array(2), bytes = new Uint8Array(place.buffer);
    ssl.SSL_SESSION_get0_ticket(this.#pointer, bytes.subarray(0, 8), bytes.subarray(8));
    const ticket = Deno.UnsafePointer.create(place[0]), size = Number(place[1]);
    if (ticket === null || size === 0) throw new Error("Cannot garble a session: it has no ticket");
    new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(ticket, size))[Math.floor(at * size)] ^= 0x55;
  }

  [Symbol.dispose](): void {
    if (this.#pointer !== null) ssl.SSL_SESSION_free(this.#pointer);
    this.#pointer = null;
  }
}

export class SecureWire implements Disposable {
  #pointer: Deno.PointerValue;

  /** Over the wire, which stays its owner's. */
  constructor(wire: Wire, context: SecureContext, name: string, session?: Session) {
    this.#pointer = newConnection(context, name);
    ssl.SSL_set_fd(this.#pointer, wire.fd);
    if (session) ssl.SSL_set_session(this.#pointer, session.pointer);
  }

  /** Empty where it is done; else why not. */
  shake(): string {
    crypto.ERR_clear_error();
    return ssl.SSL_connect(this.#pointer) === 1 ? "" : reason();
  }

  get resumed(): boolean {
    return ssl.SSL_session_reused(this.#pointer) === 1;
  }

  /** The one to resume; undefined: the server gave none. The caller's. */
  session(): Session | undefined {
    const pointer = ssl.SSL_get1_session(this.#pointer);
    if (pointer === null) return undefined;
    if (ssl.SSL_SESSION_is_resumable(pointer) === 1) return new Session(pointer);
    ssl.SSL_SESSION_free(pointer);
    return undefined;
  }

  /** Whether all of it was taken. */
  send(data: Uint8Array | string): boolean {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    return ssl.SSL_write(this.#pointer, bytes, bytes.length) === bytes.length;
  }

  /** Bytes at the front of `into`; "end" behind close_notify; else what broke it. */
  receive(into: Uint8Array): number | string {
    crypto.ERR_clear_error();
    const got = ssl.SSL_read(this.#pointer, into, into.length);
    if (got > 0) return got;
    return ssl.SSL_get_error(this.#pointer, got) === ERROR_ZERO_RETURN ? "end" : reason();
  }

  /** close_notify. */
  end(): void {
    ssl.SSL_shutdown(this.#pointer);
    crypto.ERR_clear_error();
  }

  [Symbol.dispose](): void {
    if (this.#pointer !== null) ssl.SSL_free(this.#pointer);
    this.#pointer = null;
  }
}
