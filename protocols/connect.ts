/** HTTP/1 CONNECT (RFC 9110 9.3.6) with Basic credentials (RFC 7617), both sides. */
import { Buffer } from "node:buffer";
import { formatTarget, isUnixHost } from "../gate/address.ts";
import type { Conn, Endpoint, Gate, Peer, Protocol, Stream, Target } from "../gate/contracts.ts";
import { asGateError, type Failure, GateError } from "../gate/errors.ts";
import { handshake } from "./common/handshake.ts";
import { quote } from "./common/named.ts";
import { sniffPrefix } from "./common/prefix.ts";
import { connectOrRefuse, refuse } from "./common/refuse.ts";
import { plainAnswer, STATUS, statusOf } from "./http/answer.ts";
import { parseAuthority } from "./http/authority.ts";
import { type RequestHead, requestHead, responseHead, valuesOf } from "./http/head.ts";
import { refuseFault } from "./http/refuse_fault.ts";
import { sniffRequestLine } from "./http/request_line.ts";

const encoder = new TextEncoder();
const METHOD = encoder.encode("CONNECT ");
const ESTABLISHED = encoder.encode("HTTP/1.1 200 Connection established\r\n\r\n");
const CHALLENGE = ['Proxy-Authenticate: Basic realm="ugate", charset="UTF-8"'];
const BASIC = /^basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i;
/** Of an upstream proxy's response head, bytes. */
const RESPONSE_SIZE = 16 * 1024;

async function serve(conn: Conn, gate: Gate): Promise<void> {
  conn.deadline(conn.limits.handshakeTimeout);
  const request = await conn.stream.next(requestHead(conn.limits.headSize));
  if ("fault" in request) return await refuseFault(conn, request);
  if (request.method !== "CONNECT") return await refuseOther(conn, request);
  if (conn.asksUser) await login(conn, gate, request);
  const target = parseAuthority(request.target);
  if (!target) {
    const state = `expected host:port, got ${quote(request.target)}`;
    return await refuse(conn, new GateError("malformed", "client", `Cannot connect: ${state}`), answer);
  }
  using upstream = await connectOrRefuse(conn, gate, target, answer);
  await conn.stream.write(ESTABLISHED);
  gate.relay(conn, upstream);
}

/** What belongs to `http`, on a listener that does not list it. */
async function refuseOther(conn: Conn, { method }: RequestHead): Promise<never> {
  const reason = new GateError(
    "unsupported",
    "client",
    `Cannot serve ${quote(method)}: only CONNECT is served here`,
  );
  const sentence = "Only CONNECT is served here; requests for http:// URLs are not proxied.";
  return await refuse(
    conn,
    reason,
    () => plainAnswer(501, "unsupported", { sentence, head: method === "HEAD" }),
  );
}

async function login(conn: Conn, gate: Gate, { fields }: RequestHead): Promise<void> {
  const credentials = basicCredentials(valuesOf(fields, "proxy-authorization"));
  if (credentials) {
    const failed = (thrown: unknown) => refuse(conn, asGateError(thrown), throttled);
    if (await gate.login(conn, credentials.user, credentials.password).catch(failed)) return;
  }
  const act = credentials ? `Cannot log in ${quote(credentials.user)}` : "Cannot serve CONNECT";
  const state = credentials ? "wrong user or password" : "the client sent no Basic credentials";
  await refuse(conn, new GateError("unauthenticated", "client", `${act}: ${state}`), answer);
}

/** RFC 6585 4: a source that guessed too often has to wait; for what ails the gate itself, its own status. */
function throttled(reason: GateError): Uint8Array {
  if (reason.failure !== "exhausted" || reason.side !== "client") return answer(reason);
  const sentence = "Too many wrong passwords came from this address; wait a few seconds.";
  return plainAnswer(429, "exhausted", { sentence, fields: ["Retry-After: 3"] });
}

/** RFC 7617 2: the first colon ends the user. */
function basicCredentials(values: readonly string[]): { user: string; password: string } | undefined {
  const match = values.length === 1 ? BASIC.exec(values[0]) : undefined;
  if (!match) return undefined;
  const text = Buffer.from(match[1], "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function answer(reason: GateError): Uint8Array {
  const status = statusOf(reason, STATUS);
  return plainAnswer(status, reason.failure, { fields: status === 407 ? CHALLENGE : [] });
}

/** Asks the proxy below for `endpoint.address`; names are the proxy's to resolve. */
async function wrap(
  endpoint: Endpoint,
  lower: () => Promise<Stream>,
  from: { peer: Peer; signal: AbortSignal },
): Promise<Stream> {
  const { address, credentials } = endpoint;
  if (isUnixHost(address.host)) {
    const state = "not a network address";
    throw new GateError("unsupported", "gate", `Cannot ask a proxy for ${address.host}: ${state}`);
  }
  return await handshake(lower, from.signal, async (stream) => {
    await stream.write(connectRequest(address, credentials));
    const response = await stream.next(responseHead(RESPONSE_SIZE));
    if ("fault" in response) {
      throw new GateError("malformed", "upstream", `Cannot read a proxy's response: ${response.state}`);
    }
    if (response.status >= 200 && response.status < 300) return;
    const state = `the proxy answered ${response.status}`;
    throw new GateError(
      failureOf(response.status),
      "upstream",
      `Cannot reach ${formatTarget(address)} through CONNECT: ${state}`,
    );
  });
}

function connectRequest(address: Target, credentials: string | undefined): Uint8Array {
  const authority = formatTarget(address);
  const login = credentials === undefined
    ? ""
    : `Proxy-Authorization: Basic ${Buffer.from(credentials).toString("base64")}\r\n`;
  return encoder.encode(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`);
}

/** What a proxy's refusal says about the target; what is not here (502, and Squid's 503) says: no way there. */
function failureOf(status: number): Failure {
  const failures: Readonly<Record<number, Failure>> = {
    400: "unsupported",
    403: "denied",
    407: "unauthenticated",
    501: "unsupported",
    504: "timeout",
  };
  return failures[status] ?? "unreachable";
}

export const connect: Protocol = {
  naming: "target",
  authenticates: true,
  sniff: (head) => sniffPrefix(head, METHOD),
  catches: sniffRequestLine,
  serve,
  wrap,
};
