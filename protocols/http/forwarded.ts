/** What an upstream is told of where a request came from. */
import { Buffer } from "node:buffer";
import { parseIp } from "../../gate/address.ts";
import type { Conn } from "../../gate/contracts.ts";
import { isV4 } from "../../gate/ip.ts";
import { dropKind } from "./drop_lines.ts";
import type { Edits } from "./edits.ts";
import { KIND } from "./field_kinds.ts";
import { valueOf } from "./field_values.ts";
import type { MessageHead } from "./message_head.ts";
import { octets } from "./octets.ts";

/** RFC 9110 7.6.3: a pseudonym, for nobody needs to know this machine's name. */
const PSEUDONYM = "ugate";
/** Every quote has its other one: else what is behind it would be read as inside. */
const QUOTED_WELL = /^(?:[^"]|"(?:[^"\\]|\\.)*")*$/;

const NOTHING = new Uint8Array(0);

const VIA = [0, 1].map((minor) => octets(`Via: 1.${minor} ${PSEUDONYM}\r\n`));

/** All that is told of a request that a client of the proxy sent (RFC 9110 7.6.3). */
export const viaLine = (minor: number): Uint8Array => VIA[minor];

/** Clients whose lines are remembered. */
const MOST_CLIENTS = 1024;

/** What a client was last told of with. */
interface Told {
  readonly host: string;
  readonly minor: number;
  readonly scheme: string;
  readonly port: number | undefined;
  readonly lines: Uint8Array;
}

/** By address: clients make many connections, and seldom ask for another host. */
const lately = new Map<string, Told>();

/** The lines of one connection, looked for when its first request comes and when it asks for another host. */
export class ForwardedLines {
  #host: string | undefined;
  #minor = -1;
  #lines: Uint8Array = NOTHING;

  /** X-Forwarded-*, X-Real-IP, Forwarded (RFC 7239) and Via. `host` as the client wrote it, without whitespace. */
  of(conn: Conn, host: string, minor: number): Uint8Array {
    if (this.#host === host && this.#minor === minor) return this.#lines;
    this.#host = host;
    this.#minor = minor;
    return this.#lines = linesOf(conn, host, minor);
  }
}

function linesOf(conn: Conn, host: string, minor: number): Uint8Array {
  const { peer: { address }, localPort: port } = conn, scheme = schemeOf(conn), last = lately.get(address);
  if (last?.host === host && last.minor === minor && last.scheme === scheme && last.port === port) {
    return last.lines;
  }
  const lines = octets(ownFields(conn, host, minor).map(lineOf).join(""));
  if (lately.size >= MOST_CLIENTS) lately.clear();
  lately.set(address, { host, minor, scheme, port, lines });
  return lines;
}

/** Of the URIs that a client asks for. */
export const schemeOf = ({ peer }: Conn): "http" | "https" => peer.layers.includes("tls") ? "https" : "http";

type Field = readonly [kind: number, name: string, value: string];

function ownFields(conn: Conn, host: string, minor: number): Field[] {
  const { peer, localPort } = conn, ip = parseIp(peer.address), proto = schemeOf(conn);
  const node = ip === undefined ? "unknown" : isV4(ip) ? peer.address : `"[${peer.address}]"`;
  const from: Field[] = ip === undefined ? [] : [
    [KIND.forwardedFor, "X-Forwarded-For", peer.address],
    [KIND.realIp, "X-Real-IP", peer.address],
  ];
  return [
    ...from,
    [KIND.forwardedProto, "X-Forwarded-Proto", proto],
    ...host === "" ? [] : [[KIND.forwardedHost, "X-Forwarded-Host", host] as const],
    ...localPort === undefined ? [] : [[KIND.forwardedPort, "X-Forwarded-Port", String(localPort)] as const],
    [KIND.forwarded, "Forwarded", `for=${node}${host === "" ? "" : `;host="${host}"`};proto=${proto}`],
    [KIND.via, "Via", `1.${minor} ${PSEUDONYM}`],
  ];
}

const lineOf = ([, name, value]: Field): string => `${name}: ${value}\r\n`;

/** A request of a trusted proxy, whose client is `client`. */
interface Proxied {
  readonly conn: Conn;
  readonly host: string;
  readonly minor: number;
  readonly client: string;
}

/** The older way of telling who asks, which Forwarded (RFC 7239) is another word for. */
const OLDER = [KIND.forwardedFor, KIND.realIp, KIND.forwardedProto, KIND.forwardedHost];

/**
 * What is better left out beside what a trusted proxy told. The port here is not that of its scheme and host; and a
 * Forwarded that began here would call the proxy itself the client, to backends that prefer it to the others.
 */
function contrary(head: MessageHead): readonly number[] {
  const has = (kind: number): boolean => head.find(kind) >= 0;
  const kinds: number[] = [];
  if (OLDER.some(has) && !has(KIND.forwarded)) kinds.push(KIND.forwarded);
  if (has(KIND.forwardedProto) || has(KIND.forwardedHost)) kinds.push(KIND.forwardedPort);
  return kinds;
}

/** Adds the same behind what a trusted proxy told: lists grow by this hop, and the rest stays as it was given. */
export function addForwarded(head: MessageHead, bytes: Uint8Array, edits: Edits, told: Proxied): void {
  const left = contrary(head);
  let lines = "";
  for (const field of ownFields(told.conn, told.host, told.minor)) {
    const [kind, name, value] = field;
    if (left.includes(kind)) continue;
    if (kind === KIND.forwardedFor || kind === KIND.forwarded) {
      const given = valuesOf(head, bytes, kind).filter((list) => list !== "" && QUOTED_WELL.test(list));
      dropKind(head, kind);
      lines += lineOf([kind, name, [...given, value].join(", ")]);
    } else if (kind === KIND.via) lines += lineOf(field);
    else if (head.find(kind) < 0) lines += lineOf(kind === KIND.realIp ? [kind, name, told.client] : field);
  }
  edits.add(Buffer.from(lines, "latin1"));
}

function valuesOf(head: MessageHead, bytes: Uint8Array, kind: number): string[] {
  const values: string[] = [];
  for (let line = head.find(kind); line >= 0; line = head.find(kind, line + 1)) {
    values.push(valueOf(head, bytes, line));
  }
  return values;
}
