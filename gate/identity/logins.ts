/** Who may log in with keys and certificates, as files say it: plain data, which main reads and engines hold. */

/** A host or a pattern of hosts, and a port; undefined: any. */
export interface Permitted {
  readonly host: string;
  readonly port?: number;
}

/** What somebody who logs in with a key, or by an authority, may; as the line says it. */
export interface KeyOptions {
  /** Networks and patterns of addresses. */
  readonly from?: readonly string[];
  /** ms since the epoch; it ends what was begun, too. */
  readonly until?: number;
  /** Where -L may lead; absent: the line says nothing, policy does. Empty: nowhere. */
  readonly permitOpen?: readonly Permitted[];
  /** What -R may ask for; a `host` of `*` grants no name. */
  readonly permitListen?: readonly Permitted[];
  readonly forwarding: boolean;
  readonly pty: boolean;
  /** What is run whatever is asked for. */
  readonly command?: string;
  /** UGATE_ROLE. */
  readonly role?: string;
  /** Of a security key. */
  readonly touch: boolean;
  readonly verified: boolean;
  /** The key is an authority's: it is not to log in with. */
  readonly authority: boolean;
  /** Of an authority: the only login names, one of which its certificates need. */
  readonly principals?: readonly string[];
}

/** One line. */
export interface AuthorizedKey {
  /** `file:line`, for the log. */
  readonly place: string;
  /** base64 of the key as SSH has it. */
  readonly key: string;
  readonly options: KeyOptions;
}

export interface RevokedList {
  /** `file` or `file:line`, for the log. */
  readonly place: string;
  /** base64 of keys. */
  readonly keys: readonly string[];
  /** Hashes of keys, in base64. */
  readonly sha256: readonly string[];
  readonly sha1: readonly string[];
  readonly certificates: readonly RevokedCertificates[];
}

/** Certificates of one authority, or of any. */
export interface RevokedCertificates {
  /** base64 of its key; absent: any. */
  readonly authority?: string;
  /** Serial numbers, first and last. */
  readonly ranges: readonly (readonly [bigint, bigint])[];
  /** Of serial numbers from `from` on: bit 0 is the lowest one of the last octet. */
  readonly bitmaps: readonly { readonly from: bigint; readonly bits: Uint8Array }[];
  readonly keyIds: readonly string[];
}

/** A line that is worth nothing, for the log: `file:line:column`, and why. */
export interface LineFault {
  readonly place: string;
  readonly why: string;
}

/** All files together. */
export interface LoginRules {
  readonly keys: readonly AuthorizedKey[];
  /** base64 of the keys of who certifies users. */
  readonly authorities: readonly string[];
  readonly revoked: readonly RevokedList[];
}

/** Who this gate is to its clients. It holds a private key: never printed. */
export interface HostKeyRule {
  /** `ssh-ed25519` */
  readonly algorithm: string;
  /** The public key as SSH has it. */
  readonly blob: Uint8Array;
  /** DER. */
  readonly pkcs8: Uint8Array;
}

/** Reads what files say, off the engine. `file` is for places alone. */
export interface LoginReader {
  keys(file: string, text: string): {
    readonly keys: readonly AuthorizedKey[];
    readonly faults: readonly LineFault[];
  };
  authorities(file: string, text: string): {
    readonly keys: readonly string[];
    readonly faults: readonly LineFault[];
  };
  /** Without a list where anything is wrong: nobody knows what else it should revoke. */
  revoked(file: string, bytes: Uint8Array): {
    readonly list?: RevokedList;
    readonly faults: readonly LineFault[];
  };
}
