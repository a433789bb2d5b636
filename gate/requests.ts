/**
 * Requests within a connection: what of one a route is found by, what that route says of it, what is proven of who makes
 * it, and what is told of it at its end. Plain data, but for the fields and parameters that are asked for.
 */
import type { Target } from "./address.ts";
import type { GateError } from "./errors.ts";
import type { Filters } from "./filters.ts";

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

export interface Credentials {
  readonly user: string;
  readonly password: string;
}
