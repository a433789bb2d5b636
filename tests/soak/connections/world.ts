/** What the soak's gate is told, and where its servers and doors are. */
import type { Tag } from "../../support/mixed_world.ts";
import type { Patience } from "../course.ts";

/** Servers beside the tagged ones: sends a megabyte and ends; resets on the first byte; says goodbye before the client does. */
export const PECULIAR = ["pouring", "resetting", "leaving"] as const;

export type ServerName = Tag | typeof PECULIAR[number];
export type Servers = Readonly<Record<ServerName, number>>;

export const DOORS = ["edge", "strict", "users", "forward", "proxied"] as const;
export type Door = typeof DOORS[number];
export type Doors = Readonly<Record<Door, number>>;

/** Bytes of one answer of `pouring`. */
export const POURED = 1 << 20;
export const USER = "alice", PASSWORD = "soaked through";
/** A port that policy denies, one where nobody listens, and a source that may not come in. */
export const DENIED_PORT = 7, CLOSED_PORT = 1, DENIED_SOURCE = "127.1.9.9";
/** A name that nobody knows. */
export const NOBODY = "nobody.test";

/** The configuration of round `round`: what is between `#` lines comes, goes and moves; the doors stay. */
export function configuration(servers: Servers, round: number, patience: Patience, more = ""): string {
  const to = (name: ServerName) => `"127.0.0.1:${servers[name]}"`;
  return `
listeners:
  edge:
    address: "127.0.0.1:0"
    protocols: [tls, ssh, mqtt, http, connect, socks]
    fallback: ${to("fallback")}
  strict: { address: "127.0.0.1:0", protocols: [tls, ssh, socks, connect] }
  users: { address: "127.0.0.1:0", protocols: [socks, connect], users: { ${USER}: "${PASSWORD}" } }
  forward: { address: "127.0.0.1:0", to: ${to("asked")} }
  proxied: { address: "127.0.0.1:0", protocols: [ssh], proxyProtocol: ["127.0.0.0/8"] }
${round % 2 ? `  comes: { address: "127.0.0.1:0", to: ${to("a")} }` : ""}
  moves: { address: "unix:@ugate-soak-${servers.asked}-${round % 7}", to: ${to("b")} }
${more}
routes:
  - { host: a.test, to: ${to("a")} }
  - { host: "*.b.test", to: [ ${to("b")}, { to: ${to("b")}, weight: ${1 + round % 9} } ] }
  - { protocol: ssh, to: ${to("ssh")} }
  - { protocol: mqtt, to: ${to("mqtt")} }
  - { protocol: http, to: ${to("http")} }
${round % 3 ? `  - { host: "round${round}.test", to: ${to("a")} }` : ""}
hosts: { localhost: { addresses: ["127.0.0.1"] }, "round${round}.test": { addresses: ["127.0.0.${
    1 + round % 9
  }"] } }
discovery: [file]
policy: [ { deny: { sources: "${DENIED_SOURCE}" } }, { deny: { ports: ${DENIED_PORT} } } ]
limits: { sniffTimeout: ${patience.sniff}s, handshakeTimeout: ${patience.handshake}s, idleTimeout: 1m }
engine: { threads: 2 }
admin: { address: "127.0.0.1:0" }
`;
}
