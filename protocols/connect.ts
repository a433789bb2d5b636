/** HTTP/1 CONNECT (RFC 9110 9.3.6) with Basic credentials (RFC 7617), both sides. */
import { Buffer } from "node:buffer";
import { formatTarget, isUnixHost, type Target } from "../gate/address.ts";
import type { Conn, Endpoint, Gate, Peer, Protocol } from "../gate/contracts.ts";
import type { Stream } from "../gate/streams.ts";
import { asGateError, type Failure, GateError } from "../gate/errors.ts";
import { handshake } from "./common/handshake.ts";
import { quote } from "./common/named.ts";
import { sniffPrefix } from "./common/prefix.ts";
import { connectOrRefuse, refuse } from "./common/refuse.ts";
import { plainAnswer, STATUS, statusOf } from "./http/answer.ts";
import { parseAuthority } from "./http/authority.ts";
import { awaitResponse } from "./http/discard.ts";
import { KIND } from "./http/field_kinds.ts";
import { valuesOf } from "./http/field_values.ts";
import { firstRequest } from "./http/first_request.ts";
import { ASKED } from "./http/framing.ts";
import { latin1 } from "./http/interned.ts";
import type { MessageHead } from "./http/message_head.ts";
import { RequestRefused } from "./http/own_answer.ts";
import { logInToProxy, PROXY_CHALLENGE } from "./http/proxy_login.ts";
import { refuseFault } from "./http/refuse_fault.ts";
import { sniffRequestLine } from "./http/sniff_request.ts";

const encoder = new TextEncoder();
const METHOD = encoder.encode("CONNECT ");
const ESTABLISHED = encoder.encode("HTTP/1.1 200 Connection established\r\n\r\n");

interface Asked {
  readonly used: number;
  readonly method: string;
  /** As it came: of CONNECT, host and port. */
  readonly target: string;
  /** Values of Proxy-Authorization. */
  readonly credentials: readonly string[];
}

const askedBy = (head: MessageHead, bytes: Uint8Array): Asked => ({
  used: head.used,
  method: latin1(bytes, head.start, head.methodEnd),
  target: latin1(bytes, head.targetStart, head.targetEnd),
  credentials: valuesOf(head, bytes, KIND.proxyAuthorization),
});

async function serve(conn: Conn, gate: Gate): Promise<void> {
  conn.deadline(conn.limits.handshakeTimeout);
  const request = await conn.stream.next(firstRequest(conn.limits.headSize, askedBy));
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
async function refuseOther(conn: Conn, { method }: Asked): Promise<never> {
  const reason = new GateError(
    "unsupported",
    "client",
    `Cannot serve ${quote(method)}: only CONNECT is served here`,
  );
  const sentence = "Only CONNECT is served here; requests for http:// URLs need http beside it.";
  return await refuse(
    conn,
    reason,
    () => plainAnswer(501, "unsupported", { sentence, head: method === "HEAD" }),
  );
}

async function login(conn: Conn, gate: Gate, { credentials }: Asked): Promise<void> {
  try {
    await logInToProxy(conn, gate, credentials, "CONNECT");
  } catch (thrown) {
    await refuse(conn, asGateError(thrown), answer);
  }
}

function answer(reason: GateError): Uint8Array {
  if (reason instanceof RequestRefused) return plainAnswer(reason.status, reason.failure, reason);
  const status = statusOf(reason, STATUS);
  return plainAnswer(status, reason.failure, { fields: status === 407 ? PROXY_CHALLENGE : [] });
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
    const { status } = await awaitResponse(stream, ASKED.connect);
    if (status >= 200 && status < 300) return;
    const state = `the proxy answered ${status}`;
    throw new GateError(
      failureOf(status),
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
