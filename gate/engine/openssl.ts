/**
 * One TLS connection of libssl as a state machine without I/O. What came is fed into a ring, what is to be sent is found
 * in another; all connections of a thread share the two, so who calls leaves both empty before another connection's turn.
 */
import { GateError } from "../errors.ts";
import { takeChosen } from "./openssl_alpn.ts";
import { Context } from "./openssl_context.ts";
import { cString, type OpenSsl, openssl, type OpenSslError, takeError, textAt } from "./openssl_library.ts";
import { keyNamedIn, type TicketKey } from "./openssl_tickets.ts";

/** What a step answers where it is no count of bytes. */
export const WANTS_INPUT = 0, DONE = 1, OUTPUT_FULL = -1, ENDED = -2, BROKEN = -3;
/** Content type of application data, where a record's length is, and bytes of its header (RFC 8446 5.1). */
const APPLICATION_DATA = 23, LENGTH_AT = 3, HEADER = 5;
/** Bytes that one feed takes, and that one write takes. */
export const MOST_INPUT = 262144, MOST_WRITTEN = 262144;
/** Plaintext of a record at most, and what a record may add to it: header, IV, MAC and padding. */
export const RECORD = 16384, RECORD_OVERHEAD = 96;
/** Room for what is written in the smallest records that a client may ask for (512 bytes, RFC 6066 4), and alerts. */
const RING = MOST_WRITTEN + MOST_WRITTEN / 512 * RECORD_OVERHEAD + RECORD;

/** Whether these bytes are one record of content. */
export const isRecord = (bytes: Uint8Array, at: number, size: number): boolean =>
  size > HEADER && bytes[at] === APPLICATION_DATA &&
  (bytes[at + LENGTH_AT] << 8 | bytes[at + LENGTH_AT + 1]) === size - HEADER;

/** Connections of this thread that were made and not freed. */
export const liveConnections = { count: 0 };

// ssl.h
const CTRL_SERVER_NAME = 55;
const ERROR_WANT_READ = 2, ERROR_WANT_WRITE = 3, ERROR_ZERO_RETURN = 6;
const X509_V_OK = 0;
const NO_PARTIAL_WILDCARDS = 4;
const VERSIONS: Readonly<Record<number, string>> = { 0x303: "TLSv1.2", 0x304: "TLSv1.3" };

export interface PeerCertificate {
  readonly der: Uint8Array;
  /** The end of its validity, ms since the epoch. */
  readonly notAfter: number;
}

/** libssl's end of the ring pair and ours, and where the bytes of both directions lie. */
interface Rings {
  readonly library: OpenSsl;
  readonly theirs: Deno.PointerObject;
  readonly ours: Deno.PointerObject;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

const place = new BigUint64Array(2), placeBytes = new Uint8Array(place.buffer);
const first = placeBytes.subarray(0, 8), second = placeBytes.subarray(8);
let rings: Rings | undefined;
const decoder = new TextDecoder();

const exhausted = (act: string, library: OpenSsl): GateError =>
  new GateError("exhausted", "gate", `Cannot ${act}: ${takeError(library).text}`);

function makeRings(library: OpenSsl): Rings {
  const { crypto } = library;
  const made = crypto.BIO_new_bio_pair(first, BigInt(RING), second, BigInt(RING)) === 1;
  const theirs = Deno.UnsafePointer.create(place[0]), ours = Deno.UnsafePointer.create(place[1]);
  if (!made || !theirs || !ours) {
    throw exhausted("speak TLS", library);
  }
  const view = (bio: Deno.PointerObject): Uint8Array => {
    crypto.BIO_nwrite0(bio, first);
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(place[0])!, RING));
  };
  return { library, theirs, ours, input: view(ours).subarray(0, MOST_INPUT), output: view(theirs) };
}

/** Whom a client asks for. */
interface Server {
  readonly name: string;
  readonly isIp: boolean;
  /** A name is asked for, and need not be in the certificate: who asks looks at that himself. */
  readonly unverified?: boolean;
}

export class Connection implements Disposable {
  readonly #library: OpenSsl;
  readonly #rings: Rings;
  readonly #makeContext: () => Context;
  readonly #server: Server | undefined;
  #context!: Context;
  #tickets: Uint8Array<ArrayBuffer> | undefined;
  /** Of the first bytes that came. */
  #fed = 0;
  /** Under which the ticket in its ClientHello lies, where that is not the newest. */
  #ticketKey: TicketKey | undefined;
  /** The server's side has yet to issue one. */
  #owesTicket = false;
  /** What the server's side chose of the protocols that are spoken inside. */
  #chosen = "";
  /** Null before the first step, and once freed: with null libssl would end the process. */
  #ssl: Deno.PointerValue = null;
  #freed = false;
  /** Why it is BROKEN. */
  error: OpenSslError = { reason: 0, text: "" };

  /**
   * The server's side, or the client's of `server`: a name to ask for and to verify, or an IP to verify. What was agreed
   * with it before in this context is resumed. The context is asked for in the first step of the handshake, for to make
   * one takes as long as that.
   */
  constructor(context: Context | (() => Context), server?: Server) {
    this.#library = openssl();
    this.#rings = rings ??= makeRings(this.#library);
    this.#makeContext = context instanceof Context ? () => context : context;
    this.#server = server;
  }

  /** The server's side issues tickets under these at most 32 bytes, and resumes no other's. Before the handshake. */
  bindTickets(scope: Uint8Array<ArrayBuffer>): void {
    this.#tickets = scope;
  }

  /** Where the peer's bytes had best be received: MOST_INPUT places, then fed from the first one on. */
  get places(): Uint8Array {
    return this.#rings.input;
  }

  /** Takes at most MOST_INPUT bytes of the peer's. */
  feed(bytes: Uint8Array, at: number, size: number): void {
    const { input, ours } = this.#rings;
    this.#fed ||= size;
    const received = at === 0 && bytes.buffer === input.buffer;
    if (!received) input.set(bytes.subarray(at, at + size));
    if (this.#library.crypto.BIO_nwrite(ours, first, size) === size) return;
    throw new GateError(
      "internal",
      "gate",
      "Cannot open TLS records: another connection left some in the ring",
    );
  }

  /** Takes all bytes for the peer: so many of `output`, valid until a connection of this thread is used again. */
  takeOutput(): number {
    return Math.max(0, this.#library.crypto.BIO_nread(this.#rings.ours, first, RING));
  }

  get output(): Uint8Array {
    return this.#rings.output;
  }

  /** DONE, WANTS_INPUT, OUTPUT_FULL (take it and call again) or BROKEN. */
  handshake(): number {
    if (this.#ssl === null && !this.#freed) this.#begin();
    const key = this.#ticketKey;
    this.#ticketKey = undefined;
    const result = key ? this.#context.openTicketUnder(key, () => this.#shakeHands()) : this.#shakeHands();
    if (result !== 1) return this.#state(result);
    this.#library.crypto.ERR_clear_error(); // a ticket that did not open, say: no failure, but left in the queue
    return DONE;
  }

  /**
   * One record, or what is left of it, into `into` from `at` on, before `end`: bytes, WANTS_INPUT, OUTPUT_FULL, ENDED or
   * BROKEN.
   */
  read(into: Uint8Array, at: number, end = into.length): number {
    const place = at === 0 ? into : into.subarray(at); // no view where none is needed
    const result = this.#library.ssl.SSL_read(this.#live, place, end - at);
    return result > 0 ? result : this.#state(result);
  }

  /** Whether reading again may find something without more input. */
  get hasMore(): boolean {
    return this.#unread > 0 || this.#library.ssl.SSL_has_pending(this.#live) === 1;
  }

  /**
   * Seals the first `size` bytes, at most MOST_WRITTEN: DONE or BROKEN. The output was empty before. Under TLS 1.3 a
   * ticket goes in front of what is written first: by itself it would cost a call and a segment of its own.
   */
  write(bytes: Uint8Array, size: number): number {
    if (this.#owesTicket) {
      this.#owesTicket = false;
      this.#library.ssl.SSL_new_session_ticket(this.#live);
    }
    const result = this.#library.ssl.SSL_write(this.#live, bytes, size);
    return result === size ? DONE : this.#broken();
  }

  /** close_notify: nothing can be written after it. */
  shutdown(): void {
    if (this.#library.ssl.SSL_shutdown(this.#live) < 0) this.#broken();
  }

  /** What was agreed; empty: nothing was. */
  get alpn(): string {
    if (this.#context.isServer || !this.#context.hasAlpn) return this.#chosen;
    this.#library.ssl.SSL_get0_alpn_selected(this.#live, first, second); // a pointer, and a u32
    const start = Deno.UnsafePointer.create(place[0]), size = Number(place[1] & 0xffn);
    if (start === null) return "";
    return decoder.decode(Deno.UnsafePointerView.getArrayBuffer(start, size));
  }

  /** `TLSv1.2` or `TLSv1.3`. */
  get version(): string {
    return VERSIONS[this.#library.ssl.SSL_version(this.#live)] ?? "";
  }

  get resumed(): boolean {
    return this.#library.ssl.SSL_session_reused(this.#live) === 1;
  }

  /** The peer's certificate, of a resumed session too. */
  get certificate(): PeerCertificate | undefined {
    const { ssl, crypto } = this.#library, live = this.#live;
    if (!this.#context.asksCertificate) return undefined;
    const certificate = ssl.SSL_get1_peer_certificate(live);
    if (certificate === null) return undefined;
    const der = new Uint8Array(Math.max(crypto.i2d_X509(certificate, null), 1));
    place[0] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(der)));
    crypto.i2d_X509(certificate, first); // moves the pointer behind what it wrote
    const notAfter = this.#endOf(certificate);
    crypto.X509_free(certificate);
    return { der, notAfter };
  }

  /** ms since the epoch; what cannot be read has ended. */
  #endOf(certificate: Deno.PointerObject): number {
    const { crypto } = this.#library, left = new Int32Array(place.buffer); // days, and seconds of the last one
    const end = crypto.X509_get0_notAfter(certificate);
    if (crypto.ASN1_TIME_diff(first, second, null, end) !== 1) return 0;
    return Date.now() + (left[0] * 86_400 + left[2]) * 1000;
  }

  /** Why the peer's certificate is not believed; empty: it is, or there is none. */
  get distrust(): string {
    const { ssl, crypto } = this.#library, result = ssl.SSL_get_verify_result(this.#live);
    return result === X509_V_OK ? "" : textAt(crypto.X509_verify_cert_error_string(BigInt(result)));
  }

  /** The second time it does nothing. */
  [Symbol.dispose](): void {
    this.#freed = true;
    if (this.#ssl === null) return;
    const session = this.#server && this.#library.ssl.SSL_get1_session(this.#ssl);
    if (session) this.#context.keepSession(this.#server!.name, session);
    this.#library.ssl.SSL_free(this.#ssl);
    this.#ssl = null;
    liveConnections.count--;
  }

  get #live(): Deno.PointerObject {
    if (this.#ssl !== null) return this.#ssl;
    throw new GateError("internal", "gate", "Cannot use a TLS connection: it was freed");
  }

  get #unread(): number {
    return this.#library.crypto.BIO_ctrl_pending(this.#rings.theirs);
  }

  #begin(): void {
    const { ssl, crypto } = this.#library, { theirs, input } = this.#rings;
    try {
      const context = this.#context = this.#makeContext();
      this.#ssl = ssl.SSL_new(context.pointer);
      if (this.#ssl === null) throw exhausted("begin a TLS connection", this.#library);
      liveConnections.count++;
      crypto.BIO_up_ref(theirs); // SSL_free gives it back
      ssl.SSL_set_bio(this.#ssl, theirs, theirs);
      if (context.isServer) this.#accept(context, input);
      else this.#connect(context);
    } catch (thrown) {
      this.#dropInput();
      throw thrown;
    }
  }

  #accept(context: Context, hello: Uint8Array): void {
    const { ssl } = this.#library, scope = this.#tickets;
    ssl.SSL_set_accept_state(this.#live);
    this.#owesTicket = context.hasTickets;
    if (context.olderTicketKeys.length > 0) {
      this.#ticketKey = keyNamedIn(context.olderTicketKeys, hello, 0, this.#fed);
    }
    if (scope && ssl.SSL_set_session_id_context(this.#live, scope, scope.length) !== 1) {
      throw exhausted("bind tickets", this.#library);
    }
  }

  #connect(context: Context): void {
    const { ssl } = this.#library;
    ssl.SSL_set_connect_state(this.#live);
    if (!this.#server) return;
    this.#expect(this.#server);
    const session = context.sessionWith(this.#server.name);
    if (session) ssl.SSL_set_session(this.#live, session);
  }

  #expect({ name, isIp, unverified = false }: Server): void {
    const { ssl, crypto } = this.#library, text = cString(name);
    if (isIp) {
      if (!unverified) crypto.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(this.#live), text);
      return;
    }
    ssl.SSL_ctrl(this.#live, CTRL_SERVER_NAME, 0n, text);
    if (unverified) return;
    ssl.SSL_set_hostflags(this.#live, NO_PARTIAL_WILDCARDS);
    ssl.SSL_set1_host(this.#live, text);
  }

  #shakeHands(): number {
    const result = this.#library.ssl.SSL_do_handshake(this.#live);
    if (this.#context.isServer) this.#chosen ||= takeChosen();
    return result;
  }

  #state(result: number): number {
    const error = this.#library.ssl.SSL_get_error(this.#live, result);
    if (error === ERROR_WANT_READ) return WANTS_INPUT;
    if (error === ERROR_WANT_WRITE) return OUTPUT_FULL;
    if (error !== ERROR_ZERO_RETURN) return this.#broken();
    this.#dropInput();
    return ENDED;
  }

  #broken(): number {
    this.error = takeError(this.#library);
    this.#dropInput();
    return BROKEN;
  }

  #dropInput(): void {
    for (let left = this.#unread; left > 0; left = this.#unread) {
      this.#library.crypto.BIO_nread(this.#rings.theirs, first, left);
    }
  }
}
