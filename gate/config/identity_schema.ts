/** Keys that say who this gate is, and who others have to be: certificates, authorities, tokens, passwords. */
import { z } from "zod";
import * as scalars from "./scalars.ts";
import { flag, keys, list, related, scalar } from "./shapes.ts";
import { issuerUrl, pemFile, text, users } from "./value_schema.ts";

export const certificate = keys({
  cert: ["the certificate, whose names it is for, and those behind it", pemFile("certificates")],
  key: ["its private key, without a passphrase", pemFile("a private key")],
});

export const acme = keys({
  email: ["whom the authority writes to", scalar(scalars.EMAIL, scalars.readEmail).optional()],
  directory: [
    "the authority's ACME directory; by default Let's Encrypt's, whose terms are agreed to by this key",
    scalar(scalars.DIRECTORY, scalars.readDirectory).prefault(scalars.LETS_ENCRYPT),
  ],
  ca: [
    "who vouches for the directory itself, in place of Mozilla's roots",
    pemFile("root certificates").optional(),
  ],
  names: [
    "names to get certificates for beside the hosts of routes that end TLS",
    list(scalar(scalars.EXACT_NAME, scalars.readExactName)).optional(),
  ],
});

export const upstreamTls = related(
  keys({
    ca: [
      "who vouches for the certificates of https:// targets, in place of this system's roots",
      pemFile("root certificates").optional(),
    ],
    serverName: [
      "whom they have to be, in place of each target's host",
      scalar(scalars.SERVER_NAME, scalars.readServerName).optional(),
    ],
    certificate: ["who this gate is to them, where they ask", pemFile("certificates").optional()],
    key: ["the private key of that, without a passphrase", pemFile("a private key").optional()],
    insecure: ["true: whoever answers is believed", flag().prefault("false")],
  }),
  { right: (has) => !has("certificate") || has("key"), error: "needs key", key: "certificate" },
  { right: (has) => !has("key") || has("certificate"), error: "needs certificate", key: "key" },
);

const keySource = scalar(scalars.KEY_SOURCE, scalars.readKeySource);

export const issuer = keys({
  issuer: ["who signs the tokens: exactly as their `iss` has it", issuerUrl],
  jwks: ["its public keys, a JWK Set: fetched from a URL, or a file", keySource],
  audiences: [
    "whom its tokens have to be for, where the route does not say",
    list(text("an audience")).optional(),
  ],
});

const claims = z.record(z.string().min(1), text("a text"), { error: "expected a map of claims and values" });

export const auth = related(
  keys({
    basic: ["user names and passwords (Basic)", users.optional()],
    jwt: [
      "which bearer tokens are taken",
      keys({
        issuer: ["the one of issuers that has to have signed it", issuerUrl],
        audiences: ["whom it has to be for, one of these", list(text("an audience")).optional()],
        claims: ["what it has to say, all of these", claims.prefault({})],
      }).optional(),
    ],
    certificate: ["true: who has a certificate that the listener's roots vouch for", flag().optional()],
  }),
  {
    right: (has) => has("basic") || has("jwt") || has("certificate"),
    error: "expected basic, jwt or certificate",
  },
  {
    right: (has) => !has("basic") || !has("jwt"),
    error: "excludes basic: a request has one Authorization",
    key: "jwt",
  },
);
