/**
 * The vocabulary: what a connection, a protocol, a resolver and the gate are to each other, over streams.ts and
 * requests.ts. Every other file speaks in these words. ARCHITECTURE.md tells how they fit.
 */
import type { Target } from "./address.ts";
import type { Context } from "./engine/openssl_context.ts";
import type { SignatureCheck } from "./engine/openssl_keys.ts";
import type { GateError, LimitName } from "./errors.ts";
import type { Identity } from "./identity/identity.ts";
import type { Keyring } from "./keyring.ts";
import type { NodeStatus, Printed, Reading, Visit } from "./operations.ts";
import type { LoginReader } from "./identity/logins.ts";
import type {
  Credentials,
  PasswordRule,
  Proven,
  Requested,
  RequestRecord,
  Routed,
  TokenAnswer,
  TokenRule,
} from "./requests.ts";
import type { SshRules } from "./snapshot.ts";
import type { Pace, Progress, Stream, Verdict } from "./streams.ts";

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
  /** Who it has proven to be. */
  readonly identity?: Identity;
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
  /** The port of that, which takes no system call to know. */
  readonly localPort?: number;
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
  /** Asked when other rules hold: why who logged in may not go on; undefined: it may. */
  recheck: (() => GateError | undefined) | undefined;
  /** Called once, when the gate stops: who can end in order does so, now or when what is under way has ended. */
  onStopping: (() => void) | undefined;
  /** Called once, when the client resets or the connection is cut: what is under way for it may end. */
  onAbort: ((reason: GateError) => void) | undefined;
  /** For who serves it without a promise: what that would have resolved or been rejected (`thrown`) with. */
  served(thrown?: unknown): void;
  /** Made when first asked for; aborts when the client resets, the deadline passes or the gate stops. */
  readonly signal: AbortSignal;
}

/** One place to dial: plain data. With `via`, that is dialed and the innermost layer asked for `address`. */
export interface Endpoint {
  readonly address: Target;
  readonly layers: readonly string[];
  readonly via?: Target;
  readonly credentials?: string;
  /** Whom the layers have to meet at `via`: as readIdentityName spells it. */
  readonly identity?: string;
  /** The login name there. */
  readonly user?: string;
  readonly weight?: number;
  /** Its name is reached through the connection that offers it now, if there is one. */
  readonly connected?: true;
}

/** Where everything goes that a gate dials, names and addresses alike: another gate knows what they are. */
export type Through = Omit<Endpoint, "address" | "weight">;

/** For whom a layer is spoken, and what it needs of this gate. */
export interface Wrapping {
  readonly peer: Peer;
  /** Gives up with its reason. */
  readonly signal: AbortSignal;
  readonly keyring: Keyring;
  /** Of what the keyring holds: under another one nothing may be shared. */
  readonly keys: string;
  /** PEM, of who vouches for nodes; absent: the system's. */
  readonly roots?: string;
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
  /** The same where no route takes it, and the gate itself serves it; absent: nothing does. */
  readonly unrouted?: Naming;
  /** Its server may have to begin: alone on a listener, and without a route, it is not told apart. */
  readonly speaksFirst?: true;
  /** Who may log in by files. */
  readonly logins?: LoginReader;
  /** Loads what it needs before the first connection, on an engine; `pause` is awaited between steps that take long. */
  prepare?(pause?: () => Promise<void>): Promise<void>;
  /** Whether it can ask who the user is (RFC 1929, Basic): a listener with `users` needs that where the client names. */
  readonly authenticates?: boolean;
  /** Pure; decides within its own bound; a verdict never changes once it is yes or no. */
  sniff?(head: Uint8Array): Verdict;
  /**
   * A weaker claim, heard when every listed protocol said no and the listener has no fallback: what it answers with a
   * refusal rather than silence.
   */
  catches?(head: Uint8Array): Verdict;
  /**
   * The server side. May return early: relay and enter take over. Without a promise it goes on by itself, and tells its
   * end by `conn.served`.
   */
  serve?(conn: Conn, gate: Gate): Promise<void> | void;
  /** The client side. A multiplexing transport calls lower() only without a live connection. */
  wrap?(endpoint: Endpoint, lower: () => Promise<Stream>, from: Wrapping): Promise<Stream>;
  /** The gate stops: connections that its wraps share are ended. */
  close?(): void;
  /** MOVES a stream to an upstream into TLS, as its client. Rejects with GateError, the stream closed. */
  secure?(lower: Stream, how: Securing): Promise<Stream>;
  /** What a trusted source writes before anything else (PROXY protocol). */
  preface?(stream: Stream): Promise<Partial<Peer>>;
}

/** What a connection offers: a name that is reached through it. */
export interface Offer {
  /** Whole, in normal form: "pi.mesh.example.com". */
  readonly name: string;
  /** Which of its ports: 22, 80, 443 or any other; 15022, which port 0 of SSH stands for, serves 22 too. */
  readonly port: number;
  /** ms from a message to its answer, as it was measured last. */
  readonly roundTrip: number;
  /**
   * A stream to it through the connection, there at once; `told` hears once, in a later turn, that the peer took it, or
   * why not ("refused", "denied", ...): then the stream is over. Who gives up before that aborts it. Throws GateError.
   * `from`: whom it is for.
   */
  open(
    target: Target,
    from: { readonly address: string; readonly port: number },
    told: (refused?: GateError) => void,
  ): Stream;
  /** What was granted holds no more, though the connection goes on: another one has it now, or the right to it is gone. */
  lost?(reason: GateError): void;
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

/** What is known of a relay beforehand. */
export interface Relaying {
  /** Its protocol knows no half-close: when one side has ended, the other is given a moment, and no more. */
  readonly endsTogether?: boolean;
}

/** How TLS ends here for a connection. */
export interface Termination {
  /** Of the server's side. The first call may take as long as a handshake. Throws GateError as serverContext. */
  readonly context: () => Context;
  /** What a ticket has to be issued under to resume: at most 32 bytes. */
  readonly tickets: Uint8Array<ArrayBuffer>;
  /** Where the inner bytes go: to the route's targets, or in again; "nothing": there are none, the handshake was all. */
  readonly inside: "connect" | "enter" | "nothing";
}

/** A listening socket that a client asked for; disposed, who is in its queue is reset. */
export interface Listening extends Disposable {
  /** With the port that the kernel chose, where 0 was asked for. */
  readonly address: Target;
  /** Told behind its end, where policy permits it no more. */
  lost?: (reason: GateError) => void;
}

/** Logins with keys, certificates and tokens, for a protocol that the gate itself serves. */
export interface Logins {
  /** What holds: another object means other rules. Throws GateError where no listener speaks such a protocol. */
  readonly rules: SshRules;
  /** Whether an allow rule names this identity for who comes in there: then its key needs to stand in no file. */
  isNamed(conn: Conn, identity: string): boolean;
  /**
   * Who has logged in, and under which name: facts of conn.peer and the record. Throws GateError "denied" where policy
   * refuses this identity, whatever it asks for.
   */
  proved(conn: Conn, identity: Identity, name: string): void;
  /** isSignedBy on the main thread, where it takes an engine too long. Rejects with GateError as it throws. */
  isSigned(conn: Conn, check: SignatureCheck): Promise<boolean>;
  /** Somebody showed what does not let him in: it is counted, and after many of them its source has to wait. */
  failed(conn: Conn): void;
  /** Whether it may try now. Who may not is closed, and counted: the line of the log that told of its source stands for it. */
  admits(conn: Conn): boolean;
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
  /** Whether a route takes such connections whole, as their protocol comes. */
  passes(conn: Conn): boolean;
  readonly keyLogins: Logins;
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
  relay(conn: Conn, upstream: Stream, how?: Relaying): void;
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
  /** What names of nodes end with, in normal form. */
  readonly domain: string;
  /** This gate's own name below `node.domain`; absent: it has none that others could know. */
  readonly ownName?: string;
  /**
   * The port where others come in who speak this: the usual one where there is one, else the connection's own, else
   * another; undefined: nobody is heard who does.
   */
  doorFor(protocol: string, usual: number, conn: Conn): number | undefined;
  /** Counts a limit that bit, and ended nothing. */
  hit(limit: LimitName): void;
  /** MOVES `inner`: it is sniffed like any other stream. */
  enter(inner: Stream, outer: Conn, facts: Partial<Peer>): void;
  /**
   * Registers what the connection offers, as its peer's identity proves whose names it may have; `told` hears once, in a
   * later turn, that it is granted, or why not. It holds until it is disposed, or lost, or the connection ends. A new
   * connection of the same identity takes a name over.
   */
  offer(conn: Conn, offer: Offer, told: (refused?: GateError) => void): Disposable;
  /** Tells the log of a name that its client asked for, and may not offer at all: no more than some a minute. */
  noName(conn: Conn, asked: Pick<Offer, "name" | "port">, reason: GateError): void;
  /** The connection with what it offers, as who operates the gate sees it. */
  node(conn: Conn): NodeStatus;
  /**
   * `hear` is told of who comes for what the connection offers, asks there and goes, until it is disposed; `leftOut` came
   * before it, and are told of no more.
   */
  visits(conn: Conn, hear: (visit: Visit, leftOut?: number) => void): Disposable;
  /** What a verb of the command line prints, of this gate: for whom it may tell that. Rejects with GateError. */
  tell(reading: Reading, conn: Conn): Promise<Printed>;
  /**
   * MOVES `stream`, a channel of `outer`: a connection of its own, of whom `outer` is of. `connect` judges the target that
   * its client names; it is over by a relay, or by `served`. Throws GateError "exhausted", the stream closed.
   */
  branch(stream: Stream, outer: Conn): Conn;
  /**
   * Listens for the client of `outer`, at the longest until that is over: each who comes in is a connection of its own,
   * `taken` to serve it. A unix socket only where an allow rule has its path, with the mode 0600, in nobody's place; a
   * reload that takes the right away closes it. Throws GateError.
   */
  listen(address: Target, outer: Conn, taken: (conn: Conn) => void): Listening;
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

/** Registry name -> protocol. The key is its only name: configuration, logs, metrics and layers use it. */
export type Protocols = Readonly<Record<string, Protocol>>;
