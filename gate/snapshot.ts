/** What the engines know of the configuration: plain data, pushed whole, compiled on main, matched on every thread. */
import type { Target } from "./address.ts";
import type { Limits, Through } from "./contracts.ts";
import type { RequestRules } from "./requests.ts";
import type { HostKeyRule, LoginRules } from "./identity/logins.ts";
import type { KeyPair } from "./engine/openssl_context.ts";
import type { JournalLog } from "./journal.ts";

export interface Snapshot {
  readonly version: number;
  /** By name. */
  readonly listeners: Readonly<Record<string, ListenerRules>>;
  /** In order: first match wins. The `to` of a plain forward is the route { listener, protocol: "tcp" }. */
  readonly routes: readonly RouteRule[];
  readonly policy: readonly PolicyRule[];
  /** In order: the first that has a name has it. */
  readonly certificates: readonly CertificateRule[];
  readonly limits: Limits;
  /** `limits.reserve`, each protocol with its counter in shared memory. */
  readonly reserved: readonly {
    readonly protocol: string;
    readonly slots: number;
    readonly number: number;
  }[];
  readonly log: JournalLog;
  /** What SSH that ends here needs to know; absent: no listener speaks it. */
  readonly ssh?: SshRules;
  /** Bound addresses of this gate itself (listeners and admin), as configuration has them: `host:port`, `:port`. */
  readonly own: readonly Target[];
  /** The names of `hosts` and the IP literals it gives: asked for under such a name, one may be loopback. */
  readonly hostAddresses: readonly string[];
  /** What names of nodes end with: `node.domain`, or the first of NODE_SUFFIXES. */
  readonly domain: string;
  /** This gate's own, where `node.domain` is given. */
  readonly ownName?: string;
  /** Of what the keyring holds: what was shared under another one is not shared any more. */
  readonly keys: string;
  /** PEM, of who vouches for nodes (`node.roots`). */
  readonly roots?: string;
  readonly through?: Through;
}

export interface ListenerRules {
  readonly name: string;
  /** For counters in shared memory: one for all its addresses, and the same after a reload. */
  readonly number: number;
  /** Each as written: `:443`, `127.0.0.1:443`, `unix:/path`. */
  readonly addresses: readonly string[];
  /** Registry names; `["tcp"]` sniffs nothing. */
  readonly protocols: readonly string[];
  readonly fallback?: Target;
  /** ms */
  readonly sniffTimeout: number;
  readonly asksUser: boolean;
  /** Who may log in, each with a digest of the password: another one means that the old one is worth nothing. */
  readonly users?: Readonly<Record<string, string>>;
  /** CIDRs; empty: no PROXY header is read. */
  readonly proxyProtocol: readonly string[];
  /** CIDRs; absent: what requests say of where they come from is believed of nobody. */
  readonly trustedProxies?: readonly string[];
  readonly connections?: number;
  readonly perSource?: number;
  /** Of clients whose TLS ends here. */
  readonly clientCertificates?: ClientCertificateRule;
}

/** A certificate of this gate. It holds a private key: never printed. */
export interface CertificateRule extends KeyPair {
  /** `ugate.yaml:3:5 certificates[0]`, or `acme` where an authority issued it. */
  readonly place: string;
  /** Normal names and `*.name`; none: it is for addresses alone. */
  readonly names: readonly string[];
  /** The end of its validity, ms since the epoch. */
  readonly notAfter: number;
  /** Of the chain: the same one has the same key. */
  readonly digest: string;
  /** An authority was asked for it, and did not issue it yet: there is no chain, and no key. */
  readonly pending?: true;
}

export interface SshRules {
  /** The preferred one first. */
  readonly hostKeys: readonly HostKeyRule[];
  readonly logins: LoginRules;
  /** What clients are shown before they log in. */
  readonly banner?: string;
  /** From the end of the first key exchange until somebody has logged in, ms. */
  readonly loginTimeout: number;
  /** Whose tokens are believed, and for whom they have to be: one of these. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
}

export interface ClientCertificateRule {
  /** Without it a client may have none. */
  readonly require: boolean;
  /** Who vouches for them: PEM. */
  readonly roots: string;
  /** Of both. */
  readonly digest: string;
}

export interface RouteRule {
  /** `ugate.yaml:12:5 routes[3]`: for explain and the log. */
  readonly place: string;
  /** What metrics call it: see route_labels.ts. */
  readonly label: string;
  readonly listener?: string;
  readonly protocol?: string;
  /** Lower case A-label name, `*.name` or `*`. */
  readonly host?: string;
  /** CIDRs */
  readonly sources?: readonly string[];
  /** It is no route of the file, but this registration of a name. */
  readonly live?: number;
  /** TLS ends here, and with no `to` the inner stream comes in again. */
  readonly tls?: "terminate";
  readonly to: readonly RouteEndpoint[];
  readonly proxyProtocol?: "v1" | "v2";
  /** ms */
  readonly check?: {
    readonly interval: number;
    readonly timeout: number;
    /** What is asked by HTTP, with its query; absent: a connect is enough. */
    readonly path?: string;
  };
  /** Requests are handled as HTTP; absent: the bytes go on as they came. */
  readonly http?: RequestRules;
  /** Of a route that is handled as HTTP, as all below; in normal form (request_path.ts). */
  readonly path?: PathMatch;
  /** What an encoded slash in a path is to it: reason to refuse, where it is absent. */
  readonly encodedSlash?: "refuse" | "keep";
  /** Any of them. */
  readonly method?: readonly string[];
  /** All of them; names in lower case. */
  readonly headers?: readonly NamedValue[];
  readonly query?: readonly NamedValue[];
  /** How targets are spoken to that are reached over TLS; absent: there is none. */
  readonly upstreamTls?: UpstreamTlsRule;
}

/** It may hold a private key: never printed. */
export interface UpstreamTlsRule {
  /** Of all that is in it: what was agreed under another one is not used. */
  readonly digest: string;
  /** Who vouches for the target: PEM; absent: the roots of this system. */
  readonly roots?: string;
  /** Asked for and verified in place of the target's host. */
  readonly serverName?: string;
  /** Who this gate is to the target. */
  readonly keyPair?: KeyPair;
  /** Whoever answers is believed. */
  readonly insecure?: boolean;
}

/** `prefix`: whole segments, without a slash at its end; `/` is every path. `regex`: of regex_syntax.ts. */
export type PathMatch = { readonly prefix: string } | { readonly exact: string } | { readonly regex: string };

/** Both as octets, a character each. */
export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

export interface RouteEndpoint {
  readonly target: Target;
  readonly weight: number;
  /** It is spoken to in TLS. */
  readonly secure?: true;
  /** Its row in the shared health table; UNCOUNTED: it has none. */
  readonly health: number;
}

/** All given ones must match; within a list any one does. Absent: matches everything. */
export interface PolicyRule {
  readonly place: string;
  readonly verdict: "allow" | "deny";
  readonly listener?: readonly string[];
  readonly protocol?: readonly string[];
  readonly user?: readonly string[];
  /** As readIdentityName spells them. */
  readonly identity?: readonly string[];
  /** CIDRs */
  readonly sources?: readonly string[];
  readonly hosts?: readonly string[];
  /** CIDRs and `unix:/path`. */
  readonly addresses?: readonly string[];
  /** Inclusive ranges. */
  readonly ports?: readonly (readonly [number, number])[];
}
