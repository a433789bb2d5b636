/** What the gate is told when SSH is soaked, and what is behind it. */
import type { NodeKey } from "../../support/ssh_node.ts";
import type { Patience } from "../course.ts";

/** Somebody who may log in. */
export interface Person {
  readonly key: NodeKey;
  /** What is theirs: a name of the mesh, and a port of loopback. */
  readonly name: string;
  readonly port: number;
}

/** Told by the servers. */
export interface SshServers {
  /** Sends back what it gets; sends without an end. */
  readonly echo: number;
  readonly fountain: number;
  /** Of `keys`, and of who comes and goes there. */
  readonly folder: string;
  /** One for each of those that are there at once. */
  readonly people: readonly Person[];
  readonly admin: NodeKey;
  /** In no file. */
  readonly stranger: NodeKey;
}

export const SSH_DOORS = ["ssh", "edge", "proxy"] as const;
export type SshDoor = typeof SSH_DOORS[number];

/** Of every name. */
export const NAME_PORT = 8080;
/** A port that policy denies, one where nobody listens, and a name that nobody has. */
export const DENIED_PORT = 7, CLOSED_PORT = 1, NOBODY = "nobody.m";

/** `authorized_keys` of round `round`: somebody comes and goes, the others stay. */
export function keysOf({ people, admin, stranger }: Omit<SshServers, "folder">, round: number): string {
  const lines = people.map(({ key, name, port }) =>
    `permitlisten="${name}:${NAME_PORT}",permitlisten="${port}" ${key.line}`
  );
  const guest = round % 2 ? [`restrict,from="192.0.2.0/24" ${stranger.line}`] : [];
  return [...lines, `environment="UGATE_ROLE=admin" ${admin.line}`, ...guest, ""].join("\n");
}

/** In one step, as mounted secrets change. */
export async function changeKeys(servers: SshServers, round: number): Promise<void> {
  const next = `${servers.folder}/next`;
  await Deno.writeTextFile(next, keysOf(servers, round));
  await Deno.rename(next, `${servers.folder}/keys`);
}

export function sshConfiguration(servers: SshServers, round: number, patience: Patience, more = ""): string {
  return `
listeners:
  ssh: { address: "127.0.0.1:0", protocols: [ssh] }
  edge: { address: "127.0.0.1:0", protocols: [tls, ssh, http] }
  proxy: { address: "127.0.0.1:0", protocols: [socks] }
${round % 2 ? `  comes: { address: "127.0.0.1:0", protocols: [ssh] }` : ""}
${more}
routes:
${round % 3 ? `  - { host: "round${round}.test", respond: { status: 204 } }` : ""}
  - { host: site.test, respond: { body: "soaked" } }
ssh: { authorizedKeys: ["${servers.folder}/keys"], loginTimeout: ${patience.handshake}s }
hosts: { localhost: { addresses: ["127.0.0.1"] } }
discovery: [file, mesh]
policy: [ { deny: { ports: ${DENIED_PORT} } } ]
limits: { sniffTimeout: ${patience.sniff}s, handshakeTimeout: ${patience.handshake}s, idleTimeout: 1m }
engine: { threads: 2 }
admin: { address: "127.0.0.1:0" }
`;
}
