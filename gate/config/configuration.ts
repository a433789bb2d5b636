/** The configuration as everything else sees it: typed, complete and checked. Times in ms, sizes in bytes. */
import type { Challenge } from "../acme/messages.ts";
import type { Target } from "../address.ts";
import type { Limits, Through } from "../contracts.ts";
import type { RequestRules } from "../requests.ts";
import type { Issuer } from "../key_set.ts";
import type { CertificateFacts } from "./certificate.ts";
import type { PolicyRule, RouteRule } from "../snapshot.ts";

export interface Configuration {
  readonly node: NodeConfiguration;
  /** By name, in the order of the file. */
  readonly listeners: Readonly<Record<string, ListenerConfiguration>>;
  /** In the order in which they match: the `to` of plain forwards first, then the routes of the file. */
  readonly routes: readonly RouteConfiguration[];
  /** By normal name or pattern. */
  readonly hosts: Readonly<Record<string, HostConfiguration>>;
  readonly ssh: SshConfiguration;
  /** In the order of the file; their keys are in the credentials that were read with it. */
  readonly certificates: readonly CertificateConfiguration[];
  /** Who issues certificates for names that none of those is for. */
  readonly acme?: AcmeConfiguration;
  readonly issuers: readonly IssuerConfiguration[];
  readonly discovery: readonly DiscoverySource[];
  readonly dns: DnsConfiguration;
  readonly policy: readonly PolicyRule[];
  readonly limits: Limits;
  readonly engine: { readonly threads: number };
  /** Where the admin page and the metrics are answered; absent: nowhere. */
  readonly admin: { readonly address?: Target; readonly metrics?: Target };
  readonly log: LogConfiguration;
  /** No file says so: commands that carry everything to another gate. */
  readonly through?: Through;
}

export const DISCOVERY_SOURCES = ["file", "mesh", "dns"] as const;
export type DiscoverySource = typeof DISCOVERY_SOURCES[number];

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];
export const LOG_FORMATS = ["auto", "text", "json"] as const;
export interface LogConfiguration {
  readonly level: LogLevel;
  readonly format: typeof LOG_FORMATS[number];
}

export interface NodeConfiguration {
  readonly name: string;
  /** Empty where none is given. */
  readonly domain: string;
  readonly trustDomain: string;
  readonly namespace: string;
  /** Directory for what the gate keeps. */
  readonly state: string;
  /** Files in place of what the gate would make, as they are written. */
  readonly key?: string;
  readonly certificate?: string;
  readonly roots?: string;
  /** Of these, once they are read. */
  readonly digest?: string;
}

export interface ListenerConfiguration {
  readonly name: string;
  /** The host "" stands for every address of the machine, v4 and v6. Port 0 takes a free one, as tests need it. */
  readonly addresses: readonly Target[];
  /** Where each of them is written: `ugate.yaml:12:5 listeners.web.address`. */
  readonly places: readonly string[];
  /** Registry names; `["tcp"]` for a plain forward. */
  readonly protocols: readonly string[];
  readonly fallback?: Target;
  readonly sniffTimeout: number;
  /** Password or `scrypt:...` by user name; absent: nobody is asked. Never printed. */
  readonly users?: Readonly<Record<string, string>>;
  /** CIDRs; empty: no PROXY header is read. */
  readonly proxyProtocol: readonly string[];
  /** CIDRs; absent: nobody is believed. */
  readonly trustedProxies?: readonly string[];
  readonly limits: { readonly connections?: number; readonly perSource?: number };
  /** Of clients whose TLS ends here. */
  readonly clientCertificates?: {
    readonly require: boolean;
    /** The file of the roots, as it is written. */
    readonly ca: string;
    /** Of both, once the file is read. */
    readonly digest?: string;
  };
}

export interface CertificateConfiguration extends CertificateFacts {
  /** `ugate.yaml:3:5 certificates[0]` */
  readonly place: string;
  /** Absolute. */
  readonly file: string;
}

export interface AcmeConfiguration {
  readonly email?: string;
  /** A URL. */
  readonly directory: string;
  /** The file of the roots that vouch for the directory, as it is written; absent: Mozilla's. */
  readonly ca?: string;
  /** Of these roots, once the file is read. */
  readonly digest?: string;
  /** What the listeners let an authority see, the likelier first. */
  readonly challenges: readonly Challenge[];
  /** Normal names, each to get a certificate of its own: `acme.names` and hosts of routes; none that a file covers. */
  readonly names: readonly string[];
}

export interface IssuerConfiguration extends Issuer {
  /** Where a route does not say; absent: it has to. */
  readonly audiences?: readonly string[];
}

/** What has to be proven of who makes a request. */
export interface AuthConfiguration {
  /** Password or `scrypt:...` by user name. Never printed. */
  readonly basic?: Readonly<Record<string, string>>;
  readonly jwt?: {
    readonly issuer: string;
    readonly audiences?: readonly string[];
    readonly claims: Readonly<Record<string, string>>;
  };
  readonly certificate?: boolean;
}

export interface RouteConfiguration extends Omit<RouteRule, "to" | "label" | "http" | "upstreamTls"> {
  /** Handled as HTTP. */
  readonly http?: Omit<RequestRules, "auth"> & { readonly auth?: AuthConfiguration };
  /** `http`: what comes in is handled as HTTP, and goes there as that; `secure`: over TLS. */
  readonly to: readonly {
    readonly target: Target;
    readonly weight: number;
    readonly http?: boolean;
    readonly secure?: true;
  }[];
  readonly upstreamTls?: UpstreamTlsConfiguration;
}

/** Files as they are written. */
export interface UpstreamTlsConfiguration {
  readonly ca?: string;
  readonly serverName?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly insecure: boolean;
  /** Of all that, once the files are read. */
  readonly digest?: string;
}

/** Files as they are written. */
export interface SshConfiguration {
  /** What our client logs in with, one after the other; absent: the node's key. */
  readonly identities?: readonly string[];
  /** Whom it believes. */
  readonly knownHosts?: readonly string[];
  /** Of what was read of these. */
  readonly digest?: string;
  /** Who may log in where it ends here. */
  readonly authorizedKeys?: readonly string[];
  readonly userAuthorities?: readonly string[];
  readonly revokedKeys?: readonly string[];
  /** Who this gate is there; absent: the node's key. */
  readonly hostKey?: string;
  readonly banner?: string;
  /** ms */
  readonly loginTimeout: number;
  /** What was read of all these. */
  readonly files?: readonly SshFile[];
}

/** A file that `ssh` names. */
export interface SshFile {
  readonly key:
    | "authorizedKeys"
    | "userAuthorities"
    | "revokedKeys"
    | "hostKey"
    | "identities"
    | "knownHosts";
  /** Absolute. */
  readonly file: string;
  /** As Reference has it: another one means that it changed. */
  readonly state: string;
}

/** Either `addresses`, or `via` and `layers`. */
export interface HostConfiguration {
  /** Normal name, `*.name` or `*`. */
  readonly name: string;
  /** IP literals; without a port the one that was asked for. */
  readonly addresses: readonly HostAddress[];
  readonly via?: Target;
  /** Registry names, outermost first. */
  readonly layers: readonly string[];
  /** `user:password`. Never printed. */
  readonly credentials?: string;
  /** Whom the layers have to meet there, as readIdentityName spells it. */
  readonly identity?: string;
  /** The login name there. */
  readonly user?: string;
}

export interface HostAddress {
  readonly host: string;
  readonly port?: number;
}

/** What is absent comes from /etc/resolv.conf. */
export interface DnsConfiguration {
  readonly servers?: readonly Target[];
  readonly search?: readonly string[];
}
