/** What the gate is told when requests are soaked, and what is behind it: a route of every kind. */
import type { Patience } from "../course.ts";

/** Told by the servers. */
export interface HttpServers {
  /** Answers every request with its own id, by chunks or by length; the same over TLS. */
  readonly web: number;
  readonly secure: number;
  /** Does by its path what no library does: ends content by its connection, cuts it, resets, is silent, upgrades. */
  readonly odd: number;
  /** Certificates as of the TLS course, and `files`, which are served. */
  readonly folder: string;
  /** Of the issuer, by the keys in `keys.json`. */
  readonly token: string;
  /** The password's, and cheap: it is verified again behind each reload. */
  readonly hash: string;
}

export const HTTP_DOORS = ["edge"] as const;

export const HOST = "site.test", ISSUER = "https://issuer.test", USER = "alice", PASSWORD = "soaked through";
/** A port where nobody listens. */
const CLOSED = 1;
/** Octets of the file that is served, and of what /r/small takes. */
export const FILE = 20_000, SMALL = 1024;

export function httpConfiguration(
  servers: HttpServers,
  round: number,
  patience: Patience,
  more = "",
): string {
  const { web, secure, odd, folder, hash } = servers;
  const to = (port: number) => `"http://127.0.0.1:${port}"`;
  const route = (path: string, rest: string) => `  - { host: ${HOST}, path: ${path}, ${rest} }`;
  return `
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls, http] }
${more}
routes:
${round % 3 ? route(`/round${round}`, "respond: { status: 204 }") : ""}
${route("/r/respond", 'respond: { status: 418, headers: { X-Round: "any" }, body: "short and stout" }')}
${route("/r/redirect", "redirect: { host: other.test, path: /elsewhere, status: 307 }")}
${route("/r/files", `files: "${folder}/files", compress: [zstd, gzip]`)}
${route("/r/coded", `to: ${to(web)}, compress: [gzip]`)}
${route("/r/rewritten", `to: ${to(web)}, rewrite: { host: inner.test, path: /echo }`)}
${route("/r/balanced", `to: [${to(web)}, { to: ${to(web)}, weight: ${1 + round % 9} }]`)}
${
    route(
      "/r/headers",
      `to: ${
        to(web)
      }, requestHeaders: { set: { X-Set: "1" }, remove: [X-Gone] }, responseHeaders: { add: { X-Added: "1" } }`,
    )
  }
${route("/r/secure", `to: "https://127.0.0.1:${secure}", upstreamTls: { ca: "${folder}/ca.pem" }`)}
${route("/r/basic", `to: ${to(web)}, auth: { basic: { ${USER}: "${hash}" } }`)}
${route("/r/jwt", `to: ${to(web)}, auth: { jwt: { issuer: "${ISSUER}", audiences: [app] } }`)}
${route("/r/limited", `rateLimit: { requests: 5, per: 1s }, respond: { body: "let in" }`)}
${route("/r/mirrored", `to: ${to(web)}, mirror: ${to(web)}`)}
${route("/r/again", `to: [${to(CLOSED)}, ${to(web)}], retries: { attempts: 2, on: [connect, 502] }`)}
${route("/r/closed", `to: ${to(CLOSED)}`)}
${route("/r/odd", `to: ${to(odd)}, timeout: 500ms`)}
${route("/r/small", `to: ${to(web)}, bodySize: ${SMALL}B`)}
${route("/r/picked", `method: POST, headers: { x-pick: "yes" }, query: { pick: "1" }, to: ${to(web)}`)}
${route('{ regex: "^/r/v[0-9]+/" }', `to: ${to(web)}`)}
${route("/r/kept", `encodedSlash: keep, to: ${to(web)}`)}
${route("/r/sourced", `sources: [192.0.2.0/24], to: ${to(web)}`)}
${route("/r/plain", `to: ${to(web)}`)}
issuers: [{ issuer: "${ISSUER}", jwks: "${folder}/keys.json" }]
certificates: [{ cert: "${folder}/current/cert.pem", key: "${folder}/current/cert.key" }]
discovery: [file]
limits: { sniffTimeout: ${patience.sniff}s, handshakeTimeout: ${patience.handshake}s, headSize: 16KiB, perSource: 2000 }
engine: { threads: 2 }
admin: { address: "127.0.0.1:0" }
`;
}
