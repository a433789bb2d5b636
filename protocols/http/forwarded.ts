/** What an upstream is told of where a request came from: the same for all requests of a connection to one host. */
import { parseIp } from "../../gate/address.ts";
import type { Conn } from "../../gate/contracts.ts";
import { isV4 } from "../../gate/ip.ts";
import { octets } from "./octets.ts";

/** RFC 9110 7.6.3: a pseudonym, for nobody needs to know this machine's name. */
const PSEUDONYM = "ugate";

const VIA = [0, 1].map((minor) => octets(`Via: 1.${minor} ${PSEUDONYM}\r\n`));

/** All that is told of a request that a client of the proxy sent (RFC 9110 7.6.3). */
export const viaLine = (minor: number): Uint8Array => VIA[minor];

/** The lines of one connection, made when its first request comes and when it asks for another host. */
export class ForwardedLines {
  #host: string | undefined;
  #minor = -1;
  #lines = octets("");

  /** X-Forwarded-*, X-Real-IP, Forwarded (RFC 7239) and Via. `host` as the client wrote it, without whitespace. */
  of(conn: Conn, host: string, minor: number): Uint8Array {
    if (this.#host === host && this.#minor === minor) return this.#lines;
    this.#host = host;
    this.#minor = minor;
    return this.#lines = octets(linesOf(conn, host, minor));
  }
}

function linesOf({ peer, localAddress }: Conn, host: string, minor: number): string {
  const ip = parseIp(peer.address), proto = peer.layers.includes("tls") ? "https" : "http";
  const node = ip === undefined ? "unknown" : isV4(ip) ? peer.address : `"[${peer.address}]"`;
  const lines = [
    ...ip === undefined ? [] : [`X-Forwarded-For: ${peer.address}`, `X-Real-IP: ${peer.address}`],
    `X-Forwarded-Proto: ${proto}`,
    ...host === "" ? [] : [`X-Forwarded-Host: ${host}`],
    ...localAddress === undefined ? [] : [`X-Forwarded-Port: ${localAddress.port}`],
    `Forwarded: for=${node}${host === "" ? "" : `;host="${host}"`};proto=${proto}`,
    `Via: 1.${minor} ${PSEUDONYM}`,
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}
