/** What the gate is told when TLS is soaked, and what is behind it. */
import type { Patience } from "../course.ts";

/** Told by the servers: ports, and the folder of certificates. */
export interface TlsServers {
  /** Sends back what it gets. */
  readonly echo: number;
  /** Over TLS: believed; by a stranger's authority; garbage in the handshake; a reset in it. */
  readonly secure: number;
  readonly rogue: number;
  readonly garbage: number;
  readonly resetting: number;
  /** certificates.ts */
  readonly folder: string;
}

export const TLS_DOORS = ["edge", "strict", "bare"] as const;
export type TlsDoor = typeof TLS_DOORS[number];

/** Names that have a certificate: requests are served, bytes are passed on. And one that nobody knows. */
export const SITE = "site.test", BARE = "bare.test", NOBODY = "nobody.test";
/** Octets of the answer at /much. */
export const MUCH = 50_000;

export function tlsConfiguration(servers: TlsServers, round: number, patience: Patience, more = ""): string {
  const { folder } = servers;
  const secure = (path: string, port: number) =>
    `  - { host: ${SITE}, path: ${path}, to: "https://127.0.0.1:${port}", upstreamTls: { ca: "${folder}/ca.pem" } }`;
  return `
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls, http] }
  strict:
    address: "127.0.0.1:0"
    protocols: [tls, http]
    clientCertificates: { ca: "${folder}/ca.pem", require: true }
  bare: { address: "127.0.0.1:0", protocols: [tls] }
${more}
routes:
${round % 3 ? `  - { host: ${SITE}, path: /round${round}, respond: { status: 204 } }` : ""}
${secure("/secure", servers.secure)}
${secure("/rogue", servers.rogue)}
${secure("/garbage", servers.garbage)}
${secure("/resetting", servers.resetting)}
  - { host: ${SITE}, path: /much, respond: { body: "${"x".repeat(MUCH)}" } }
  - { host: ${SITE}, respond: { body: "soaked" } }
  - { host: ${BARE}, listener: bare, tls: terminate, to: "127.0.0.1:${servers.echo}" }
certificates: [{ cert: "${folder}/current/cert.pem", key: "${folder}/current/cert.key" }]
discovery: [file]
limits: { sniffTimeout: ${patience.sniff}s, handshakeTimeout: ${patience.handshake}s, idleTimeout: 1m }
engine: { threads: 2 }
admin: { address: "127.0.0.1:0" }
`;
}
