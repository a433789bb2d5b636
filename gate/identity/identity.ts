/** Who a peer has proven to be, as policies spell it: whichever transport proved it. Pure; on every thread. */
import { readNodeId } from "./node_id.ts";

/** By what it was proven; "supposed": by nothing, `explain` imagines it. */
export type Proof = "ssh key" | "ssh certificate" | "token" | "tls certificate" | "supposed";

/** Plain data. */
export interface Identity {
  /** What the log calls it: one of `names`. */
  readonly name: string;
  /** All that was proven of it, each in the spelling of readIdentityName. */
  readonly names: readonly string[];
  readonly proof: Proof;
}

/** In a policy: whoever has proven to be someone. */
export const ANYONE_PROVEN = "any";
export const IDENTITY =
  "key:ID, ssh:SHA256:…, principal:NAME@SHA256:CA, jwt:ISSUER#SUB, spiffe://…, role:NAME or any";

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]$/;
const AUTHORITY = "@SHA256:", SUBJECT = "#";
const ROLE = /^[A-Za-z0-9._-]{1,64}$/;
/** SPIFFE-ID 2.1 to 2.4: a trust domain and a path. */
const SPIFFE = /^spiffe:\/\/([a-zA-Z0-9._-]{1,255})((?:\/[a-zA-Z0-9._-]+)*)$/;
const LONGEST_SPIFFE = 2048, LONGEST_NAME = 2048;

/** The one spelling of what a policy names, so that texts can be compared; undefined: it is none. */
export function readIdentityName(text: string): string | undefined {
  if (text === ANYONE_PROVEN) return text;
  if (text.startsWith("spiffe:")) return readSpiffeId(text);
  const colon = text.indexOf(":"), kind = text.slice(0, colon), rest = text.slice(colon + 1);
  if (colon < 0 || rest.length > LONGEST_NAME || /\p{Cc}/u.test(rest)) return undefined;
  switch (kind) {
    case "key": {
      const id = readNodeId(rest);
      return id && keyName(id);
    }
    case "ssh":
      return FINGERPRINT.test(rest) ? text : undefined;
    case "principal": {
      const at = rest.lastIndexOf(AUTHORITY);
      return at > 0 && FINGERPRINT.test(rest.slice(at + 1)) ? text : undefined;
    }
    case "jwt": {
      const at = rest.indexOf(SUBJECT);
      return at > 0 && at < rest.length - 1 && isIssuer(rest.slice(0, at)) ? text : undefined;
    }
    case "role":
      return ROLE.test(rest) ? text : undefined;
    default:
      return undefined;
  }
}

/** A SPIFFE ID with its trust domain in lower case; undefined: it is none. */
export function readSpiffeId(text: string): string | undefined {
  const [, domain, path] = SPIFFE.exec(text) ?? [];
  if (domain === undefined || text.length > LONGEST_SPIFFE) return undefined;
  if (path.split("/").some((segment) => segment === "." || segment === "..")) return undefined;
  return `spiffe://${domain.toLowerCase()}${path}`;
}

function isIssuer(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol);
}

/** The key with this ID (nodeIdOf). */
export const keyName = (id: string): string => `key:${id}`;
/** The SSH key with this fingerprint, `SHA256:…`. */
export const sshName = (fingerprint: string): string => `ssh:${fingerprint}`;
/** Whom an authority certifies: its own fingerprint makes two authorities' alice two identities. */
export const principalName = (principal: string, authority: string): string =>
  `principal:${principal}@${authority}`;
export const tokenName = (issuer: string, subject: string): string => `jwt:${issuer}${SUBJECT}${subject}`;
export const roleName = (role: string): string => `role:${role}`;

/** Somebody who would have proven all of these names, of which there is one at least. */
export const supposedIdentity = (names: readonly string[]): Identity => (
  { name: names[0], names, proof: "supposed" }
);

/** Whether one of these names, or `any`, is meant for the identity; nobody proven is meant by none. */
export function isNamed(names: ReadonlySet<string>, identity: Identity | undefined): boolean {
  return identity !== undefined &&
    (names.has(ANYONE_PROVEN) || identity.names.some((name) => names.has(name)));
}
