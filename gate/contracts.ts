/**
 * The vocabulary: what a stream, a protocol, a resolver and the gate are to each other. Every other file speaks in
 * these words. ARCHITECTURE.md tells how they fit.
 */
import type { Context } from "./engine/openssl_context.ts";
import type { GateError, LimitName } from "./errors.ts";
import type { Filters } from "./filters.ts";

/** More may come; the peer sent FIN; the time for first bytes is over. */
export type Phase = "open" | "ended" | "late";
/** Yes, no, or the bytes needed in all. */
export type Verdict = boolean | number;

/** The smallest thing that works: bytes both ways, half-close, reset, and the kernel socket where there is one. */
export interface Stream extends Disposable {
  /**
   * Shows `parse` what comes next, consuming nothing, again whenever more came, until it answers something but a
   * number (= bytes needed in all). `head` is valid during the synchronous call only. No promise where the answer is there.
   */
  look<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
  ): T | Promise<T>;
  /**
   * Reads. `use` runs synchronously on what there is and answers how much of it it used, or a number = bytes needed
   * in all; what it did not use is held by the stream and goes first. The bytes are valid during the call only.
   */
  next<T extends { used: number }>(use: (bytes: Uint8Array, phase: Phase) => T | number): T | Promise<T>;
  /**
   * `next` for who waits without a promise: undefined where `use` has not answered yet, and `wake` is called once, from
   * the loop, when it is worth to poll again. One waits at a time. Throws what next would.
   */
  poll<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    wake: () => void,
  ): T | undefined;
  /** 1 to into.length bytes; null: FIN; a reset throws. */
  read(into: Uint8Array): Promise<number | null>;
  /** Takes the first `size` bytes (all), or throws; they are free on return. */
  write(bytes: Uint8Array, size?: number): void | Promise<void>;
  /** Half-close: the peer sees FIN, reading goes on. */
  closeWrite(): Promise<void>;
  /** The peer sees a reset, never an end. */
  abort(reason: GateError): void;
  /** Raw streams: moves the kernel socket out; who takes it sends `held` first. */
  take?(): { fd: number; held: Uint8Array };
  /** Moves the stream to where bytes flow without promises: what relay, copy and a layer above use. */
  joint?(): Joint;
} // disposing a moved stream does nothing

/** A stream without promises: synchronous, never waits, calls nothing of its taker from inside its own methods. */
export interface Joint {
  /** What the peer sends goes to `to`, held bytes first; after `bytes` it stops. */
  join(to: Taker, bytes?: number): void;
  /**
   * Places for the next bytes to the peer, at most `most` of them and at least `least` (1); undefined: none now,
   * `to.room()` comes.
   */
  reserve(most: number, least?: number): Room | undefined;
  /** So many bytes of the reserved places are filled: they leave with the batch, at the latest at the turn's end. */
  commit(bytes: number): void;
  /**
   * Where there is a socket right below: sends the first bytes of `bytes` behind what was committed, without places for
   * them, and keeps what the kernel refuses. false: nothing of it now, `to.room()` comes.
   */
  post?(bytes: Uint8Array, size: number): boolean;
  /** Taken bytes have left this gate: only this reopens the stream's window. */
  delivered(bytes: number): void;
  /** Back to the promise forms, nothing lost. */
  leave(): Stream;
  /** FIN behind what was committed. */
  end(): void;
  /** A reset. */
  abort(reason: GateError): void;
}

/** Who receives from a joint. */
export interface Taker {
  /** Where a socket right below had best receive to: nobody else uses it until it is taken. */
  readonly places?: Uint8Array;
  /** In order; the bytes are valid until flush(), which comes in the same turn. */
  take(bytes: Uint8Array, at: number, size: number): void;
  /** Send what was gathered, copy what the kernel refuses (the window bounds it). */
  flush(): void;
  /** reserve has room again; a connection calls its streams' in turn, a batch each. */
  room(): void;
  /** The peer's FIN, or the end of the bytes that were joined. */
  end(): void;
  /** The peer's reset. */
  broke(reason: GateError): void;
}

/** Reserved places: `pieces` of them, each `size[i]` bytes from `at[i]` in `bytes`. One per thread. */
export interface Room {
  bytes: Uint8Array;
  pieces: number;
  readonly at: Int32Array;
  readonly size: Int32Array;
}

/** `host` is a name, an IP literal without brackets, or `unix:/path`, `unix:@abstract` (port 0 then). */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** What is known of who connected: facts, replaced and never mutated. */
export interface Peer {
  /** IP literal, "unix" for a unix socket. */
  readonly address: string;
  readonly port?: number;
  readonly serverName?: string;
  /** What was agreed where TLS ended here; else what the client offers, comma between. */
  readonly alpn?: string;
  /** `TLSv1.2` or `TLSv1.3`, where TLS ended here. */
  readonly tlsVersion?: string;
  /** Which the listener's roots vouch for. */
  readonly clientCertificate?: ClientCertificate;
  readonly identity?: string;
  readonly user?: string;
  /** Registry names of what was unwrapped so far, outermost first. */
  readonly layers: readonly string[];
}

export interface ClientCertificate {
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint: string;
  readonly der: Uint8Array;
  /** The end of its validity, ms since the epoch. */
  readonly notAfter: number;
}

/** The record of one connection on its way: plain data. */
export interface Draft {
  protocol: string;
  target: string;
  endpoint: string;
  user: string;
  /** Bytes from the client, and to it. */
  up: number;
  down: number;
}

/** Sizes in bytes, times in ms. */
export interface Limits {
  readonly connections: number;
  readonly perSource: number;
  readonly reserve: Readonly<Record<string, number>>;
  readonly sniffTimeout: number;
  readonly handshakeTimeout: number;
  readonly dialTimeout: number;
  readonly idleTimeout: number;
  readonly headSize: number;
  readonly grace: number;
  /** Of a request's head, from its first byte on. */
  readonly headTimeout: number;
  /** The longest silence of a request's content, and of a client that takes nothing of what waits for it. */
  readonly bodyTimeout: number;
  /** Between two requests of a connection. */
  readonly keepAlive: number;
  readonly requestsPerConnection: number;
  /** Bytes of a request's content; absent: any. */
  readonly bodySize?: number;
}

/** One connection, or one stream that came out of one. */
export interface Conn {
  readonly id: number;
  readonly parent?: number;
  /** A protocol that unwraps it and goes on with what is inside puts that here. */
  stream: Stream;
  readonly listener: string;
  readonly originalDestination?: Target;
  /** Where it came in, as the client saw it; a unix socket has none. */
  readonly localAddress?: Target;
  peer: Peer;
  /** By whoever serves it: of the message under way, or of the tunnel that it became. */
  proven: Proven | undefined;
  readonly record: Draft;
  readonly limits: Limits;
  /** Registry names of what may come in at its listener now. */
  readonly protocols: readonly string[];
  /** Whether the listener has `users` now: who comes in has to say who it is. */
  readonly asksUser: boolean;
  /** Whether the listener believes what this IP literal says of where requests come from (`trustedProxies`). */
  believes(address: string): boolean;
  /** Content on its way that the record does not have yet. */
  moving?: { readonly up: number; readonly down: number };
  /** One per connection: when it passes, the stream is aborted with "timeout", unless `late` is to be called. 0: none. */
  deadline(ms: number, late?: () => void): void;
  /** In its place: after `ms` a read of the stream that still waits is shown the phase "late", and so is every other. */
  patience(ms: number): void;
  /** The same between two messages: when the gate stops, the time is over at once. */
  idle(ms: number): void;
  /** The gate takes nothing new: the message that is under way is the last one. */
  readonly stopping: boolean;
  /** Called once, when the client resets or the connection is cut: what is under way for it may end. */
  onAbort: ((reason: GateError) => void) | undefined;
  /** Made when first asked for; aborts when the client resets, the deadline passes or the gate stops. */
  readonly signal: AbortSignal;
}

/** A request within a connection, as routes are matched by it. */
export interface Requested {
  /** Whom it is for; absent where an old request names nobody. */
  readonly target?: Target;
  /** As it came, without the query; `*` for a whole server. */
  readonly path: string;
  /** IP literal of the client, as trusted proxies tell it; absent: the connection's peer is the client. */
  readonly source?: string;
  readonly method: string;
  /**
   * The value of a field by its name in lower case, an octet a character: lines of one name put together (RFC 9110
   * 5.3). To be asked, as `query`, during the call that was given this.
   */
  header(name: string): string | undefined;
  /** The first value of a parameter, as request_query.ts reads it. */
  query(name: string): string | undefined;
}

/** The route that a request takes, handled as HTTP; or what policy permitted to who named the target. */
export interface Routed {
  /** Empty: no route. */
  readonly place: string;
  readonly http: RequestRules;
}

/** What a connection to the thread of files is for. */
export interface FilesSite {
  /** Absolute. */
  readonly directory: string;
  /** The path that is the directory itself, in normal form and without a slash at its end; empty for `/`. */
  readonly prefix: string;
}

/** How a response's content may be coded on its way to the client (RFC 9110 8.4.1). */
export type Coding = "zstd" | "gzip";

/** What a route says of requests. Times in ms, sizes in bytes. */
export interface RequestRules extends Filters {
  /** Of the route's path, where it is one: what filters replace, and what files lie behind. */
  readonly prefix?: string;
  /** From the request's end to the response's head. */
  readonly timeout?: number;
  /** Of the request's content; absent: `limits.bodySize` holds. */
  readonly bodySize?: number;
  /** Over TLS alone: who asks in clear is sent there. */
  readonly secureOnly?: true;
  /** In place of an upstream. */
  readonly files?: FilesSite;
  /** In the order of preference; absent: content goes on as it came. */
  readonly compress?: readonly Coding[];
  /** Who may make requests; absent: anybody. */
  readonly auth?: AuthRule;
  /** How often each source may come. */
  readonly rateLimit?: RateLimit;
  readonly retries?: Retries;
  /** Where a copy of each request goes. */
  readonly mirror?: Target;
}

/** So many requests at once, then one in `per / requests` ms. */
export interface RateLimit {
  readonly requests: number;
  readonly per: number;
}

/** How often a request may be sent again, and after what. */
export interface Retries {
  readonly attempts: number;
  readonly on: readonly RetryReason[];
}

/** Nothing was sent; or the status that the upstream answered, or that the gate would answer in its place. */
export type RetryReason = "connect" | 502 | 503 | 504;

/** What has to be proven of who makes a request: all that is given. */
export interface AuthRule {
  readonly basic?: PasswordRule;
  readonly jwt?: TokenRule;
  /** A client certificate that the listener's roots vouch for. */
  readonly certificate?: true;
}

/**
 * The name of a set of users that main knows, a digest of each one's password, and the realm that clients are told of
 * (RFC 9110 11.5).
 */
export interface PasswordRule {
  readonly users: string;
  readonly digests: Readonly<Record<string, string>>;
  readonly realm: string;
}

/** Which tokens are believed: of this issuer, for one of these audiences, with all of these claims. */
export interface TokenRule {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
}

/** What was proven of who makes a message, or has a tunnel: judged again when what holds changes. */
export interface Proven {
  /** Absent: a token names nobody. */
  readonly user?: string;
  /** Of the password that a user gave. */
  readonly digest?: string;
  /** What a token was verified by. */
  readonly token?: TokenRule;
  /** The end of what it was proven with, ms since the epoch. */
  readonly expires: number;
}

/**
 * What a token proves. "right": until then (ms since the epoch) nothing has to be verified again, and it `expires` at the
 * end of its own time; the subject can be told in a field. "misfit": it is right, and has not the claims of the rule. "wrong": `why` is for the client too.
 */
export type TokenAnswer =
  | {
    readonly verdict: "right";
    readonly subject: string | undefined;
    readonly until: number;
    readonly expires: number;
  }
  | { readonly verdict: "misfit" }
  | { readonly verdict: "wrong"; readonly why: string };

/** The record of one request, as its protocol tells it at its end: it becomes a line of the journal. Times in ms. */
export interface RequestRecord {
  readonly method: string;
  /** Whom it was for, as it came. */
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  readonly requestId: string;
  /** 0: there was no answer. */
  readonly status: number;
  /** In the loop's time. */
  readonly began: number;
  /** From then until the response's head; absent: there was none. */
  readonly waited?: number;
  /** How often it was sent again. */
  readonly retried: number;
  /** Bytes of the content of request and response. */
  readonly up: number;
  readonly down: number;
  /** Who the route's `auth` proved to have made it; absent: nobody. */
  readonly user?: string;
  /** IP literal of the client, as trusted proxies tell it. */
  readonly client?: string;
  readonly failure?: GateError;
}

/** How far a copy is: it stays true while bytes move, and once they do no more. */
export interface Progress {
  readonly moved: number;
}

/** How slow a copy may be: ms without a byte from the source, or taken by the sink; bytes/s of the source on average. */
export interface Pace {
  readonly source: number;
  readonly sink: number;
  readonly least: number;
}

/** One place to dial: plain data. With `via`, that is dialed and the innermost layer asked for `address`. */
export interface Endpoint {
  readonly address: Target;
  readonly layers: readonly string[];
  readonly via?: Target;
  readonly credentials?: string;
  readonly identity?: string;
  readonly weight?: number;
}

/** Where a target lives: plain data, cloneable. */
export interface Destination {
  readonly target: Target;
  /** The name that was found, where it is not the one that was asked for (a search domain completed it). */
  readonly completed?: string;
  readonly endpoints: readonly Endpoint[];
  /** Which source of discovery answered. */
  readonly source: string;
  /** How long the answer holds, ms. */
  readonly lifetime: number;
}

/** Answers "where is this name?". undefined: not a name of mine, ask the next; thrown: mine, but unusable. */
export interface Resolver {
  resolve(target: Target, signal: AbortSignal): Promise<Destination | undefined>;
  /** `changed` hears patterns as hostMatches has them; `*`: any name may live elsewhere now. */
  onChange?(changed: (patterns: readonly string[]) => void): void;
}

/**
 * What of a connection names its destination. "target": the request does, so policy judges it and only routes that
 * name the protocol apply (SOCKS, CONNECT). "serverName": the SNI finds the route, policy judges where none does (TLS).
 * "host": the Host finds the route, which has to name the protocol (HTTP). "nothing": the route alone decides.
 */
export type Naming = "target" | "serverName" | "host" | "nothing";

export interface Protocol {
  readonly naming: Naming;
  /** Whether it can ask who the user is (RFC 1929, Basic): a listener with `users` needs that where the client names. */
  readonly authenticates?: boolean;
  /** Pure; decides within its own bound; a verdict never changes once it is yes or no. */
  sniff?(head: Uint8Array): Verdict;
  /** A weaker claim, heard when every listed protocol said no: what it answers with a refusal rather than silence. */
  catches?(head: Uint8Array): Verdict;
  /** The server side. May return early: relay and enter take over. */
  serve?(conn: Conn, gate: Gate): Promise<void>;
  /** The client side. A multiplexing transport calls lower() only without a live connection. */
  wrap?(
    endpoint: Endpoint,
    lower: () => Promise<Stream>,
    from: { peer: Peer; signal: AbortSignal },
  ): Promise<Stream>;
  /** MOVES a stream to an upstream into TLS, as its client. Rejects with GateError, the stream closed. */
  secure?(lower: Stream, how: Securing): Promise<Stream>;
  /** What a trusted source writes before anything else (PROXY protocol). */
  preface?(stream: Stream): Promise<Partial<Peer>>;
}

/** How an upstream is spoken to in TLS. */
export interface Securing {
  /** Of the client's side. */
  readonly context: Context;
  /** Who has to be there: a name is asked for and verified, an IP literal is verified alone. */
  readonly name: string;
  /** ms for the handshake. */
  readonly timeout: number;
  /** Gives up with its reason. */
  readonly signal: AbortSignal;
}

/** How TLS ends here for a connection. */
export interface Termination {
  /** Of the server's side: to be used before anything is awaited. */
  readonly context: Context;
  /** What a ticket has to be issued under to resume: at most 32 bytes. */
  readonly tickets: Uint8Array;
  /** Where the inner bytes go: to the route's targets, or in again; "nothing": there are none, the handshake was all. */
  readonly inside: "connect" | "enter" | "nothing";
}

/** Everything a protocol may do. */
export interface Gate {
  /** How TLS ends here by the route of who asks for this; undefined: it is passed on. Throws GateError as connect. */
  termination(target: Target | undefined, conn: Conn): Termination | undefined;
  /**
   * Route + policy + dial + wrap. No target: the route alone decides. A route: it has been decided, and with `reuse` an
   * idle upstream will do. Throws or rejects with GateError.
   */
  connect(to: Target | Routed | undefined, conn: Conn, reuse?: boolean): Stream | Promise<Stream>;
  /** Whether some path is a challenge now: see challenge. */
  readonly challenged: boolean;
  /** What a GET of this path is answered with before any route, for an authority that certifies; undefined: nothing. */
  challenge(path: string, conn: Conn): string | undefined;
  /**
   * Another upstream for a message that the last one failed: where it has not been, else after a pause. `attempt`: 1 for
   * the first time; `until`: in the loop's time. Rejects with GateError.
   */
  again(routed: Routed, conn: Conn, attempt: number, until: number): Promise<Stream>;
  /** Whether requests of this connection are routed one by one, instead of its bytes as they come. */
  handles(conn: Conn): boolean;
  /** Route and policy of one request. Throws GateError; Misdirected where TLS for its host does not end here. */
  route(request: Requested, conn: Conn): Routed;
  /**
   * The same of a request whose target its client named, as a proxy's does: policy judges that, and only a route that
   * names the protocol applies. `source`: the client, where trusted proxies tell of it. Throws GateError.
   */
  proxied(target: Target, conn: Conn, source?: string): Routed;
  /**
   * MOVES the upstream that this connection has by a route, between two messages, to where idle ones wait. `own`: for
   * this connection alone.
   */
  keep(upstream: Stream, conn: Conn, own: boolean): void;
  /** Whether the upstream that this connection has by a route carried messages before this one. */
  reused(conn: Conn): boolean;
  /** A request is over: its line of the journal, and the end of its load on the endpoint. */
  requested(conn: Conn, record: RequestRecord): void;
  /** Between two messages: what comes next is another protocol's of its listener, which serves it from here on. */
  handOver(conn: Conn, protocol: string): Promise<void>;
  /** MOVES both; the record is written when the relay ends. */
  relay(conn: Conn, upstream: Stream): void;
  /**
   * Counts a request of `source` (an IP literal) by the `rateLimit` of its route: ms until it may come, 0 where it was
   * counted.
   */
  rate(routed: Routed, source: string): number;
  /**
   * A connection of the gate's own, for no client: an idle one to this target, or a new one within `ms`. Rejects with
   * GateError; "denied" where it leads to the gate itself.
   */
  reach(target: Target, ms: number): Promise<Stream>;
  /** MOVES such a connection to where idle ones wait; with `reason` it is cut instead. */
  rest(stream: Stream, reason?: GateError): void;
  /** Counts a limit that bit, and ended nothing. */
  hit(limit: LimitName): void;
  /** MOVES `inner`: it is sniffed like any other stream. */
  enter(inner: Stream, outer: Conn, facts: Partial<Peer>): void;
  /**
   * Exactly so many bytes, held ones first, spliced where both are raw; Infinity: up to the end, which is not passed on.
   * Answers how many that were.
   */
  copy(
    from: Stream,
    to: Stream,
    bytes: number,
    pace?: Pace,
    watch?: (progress: Progress) => void,
  ): Promise<number>;
  /**
   * Checks a password off this thread, bounded and throttled by source (by default the peer): then it rejects. true sets
   * conn.peer.user.
   */
  login(conn: Conn, user: string, password: string, source?: string): Promise<boolean>;
  /** The same for one request, by the users of its route: nothing is set. `source` is who is throttled. */
  checkPassword(rule: PasswordRule, given: Credentials, source: string, conn: Conn): Promise<boolean>;
  /** Verifies a token off this thread. Rejects where the source has to wait, or the issuer's keys are not known. */
  checkToken(rule: TokenRule, token: string, source: string, conn: Conn): Promise<TokenAnswer>;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Registry name -> protocol. The key is its only name: configuration, logs, metrics and layers use it. */
export type Protocols = Readonly<Record<string, Protocol>>;
