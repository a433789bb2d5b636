/** `auth` of a route as engines have it: no password, and the audiences of the issuer where the route names none. */
import type { AuthRule } from "../requests.ts";
import type { PathMatch } from "../snapshot.ts";
import type { AuthConfiguration, IssuerConfiguration } from "./configuration.ts";

export interface Believing {
  readonly issuers: readonly IssuerConfiguration[];
  /** Under which engines know a set of users. */
  readonly setName: (users: Readonly<Record<string, string>>) => string;
  /** For each of a set its digest, which is another one with another password. */
  readonly digestsOf: (users: Readonly<Record<string, string>>) => Readonly<Record<string, string>>;
}

export function authRule(
  { basic, jwt, certificate }: AuthConfiguration,
  path: PathMatch | undefined,
  { issuers, setName, digestsOf }: Believing,
): AuthRule {
  const audiences = jwt && (jwt.audiences ?? issuers.find(({ issuer }) => issuer === jwt.issuer)?.audiences);
  return {
    basic: basic && { users: setName(basic), digests: digestsOf(basic), realm: realmOf(path) },
    jwt: jwt && { issuer: jwt.issuer, claims: jwt.claims, audiences: audiences ?? [] },
    certificate: certificate || undefined,
  };
}

/** Another one for another path: browsers keep one password for each realm of a host. */
function realmOf(path: PathMatch | undefined): string {
  const where = path === undefined ? "" : "prefix" in path ? path.prefix : "exact" in path ? path.exact : "";
  return /^[\w/.~-]+$/.test(where) ? `ugate ${where}` : "ugate";
}
