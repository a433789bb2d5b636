/**
 * TLS by the name in its ClientHello. Its route says whether nothing is decrypted and the bytes go on as they came, or
 * whether it ends here.
 */
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Protocol, Securing, Termination } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { asGateError, type Failure, GateError } from "../../gate/errors.ts";
import { connectOrRefuse, refuse } from "../common/refuse.ts";
import { plainAnswer } from "../http/answer.ts";
import { sniffRequestLine } from "../http/sniff_request.ts";
import { type ClientHello, readClientHello, sniffClientHello } from "./client_hello.ts";
import { connectTls } from "./secure.ts";
import { serverNameTarget } from "./server_name.ts";
import { terminate } from "./terminate.ts";
import { wrap } from "./wrap.ts";

const HANDSHAKE_FAILURE = 40;
const ACCESS_DENIED = 49;
const DECODE_ERROR = 50;
const INTERNAL_ERROR = 80;
const UNRECOGNIZED_NAME = 112;

/** RFC 8446 6.2. A denied name and an unknown one look alike, so that nobody can ask which names exist. */
const ALERT: Readonly<Record<Failure, number>> = {
  malformed: DECODE_ERROR,
  unsupported: HANDSHAKE_FAILURE,
  unauthenticated: ACCESS_DENIED,
  denied: UNRECOGNIZED_NAME,
  "no-route": UNRECOGNIZED_NAME,
  refused: INTERNAL_ERROR,
  unreachable: INTERNAL_ERROR,
  timeout: INTERNAL_ERROR,
  reset: INTERNAL_ERROR,
  closed: INTERNAL_ERROR,
  exhausted: INTERNAL_ERROR,
  internal: INTERNAL_ERROR,
};

function serve(conn: Conn, gate: Gate): Promise<void> | void {
  conn.deadline(conn.limits.handshakeTimeout);
  const looked = conn.stream.look(readClientHello);
  if (!(looked instanceof Promise)) return follow(conn, gate, looked); // mostly it is there: no promise then
  void followLater(conn, gate, looked);
}

async function followLater(conn: Conn, gate: Gate, looked: Promise<ClientHello | false>): Promise<void> {
  try {
    const serving = follow(conn, gate, await looked);
    if (!serving) return;
    await serving;
    conn.served();
  } catch (thrown) {
    conn.served(thrown);
  }
}

/** Without a promise where TLS ends here. */
function follow(conn: Conn, gate: Gate, hello: ClientHello | false): Promise<void> | void {
  if (!hello) return refuseOther(conn);
  const { serverName, alpn } = hello;
  conn.peer = { ...conn.peer, serverName, alpn: alpn.length > 0 ? alpn.join(",") : undefined };
  const target = serverName === undefined ? undefined : serverNameTarget(serverName);
  const asked = terminationOf(conn, gate, target);
  if (asked instanceof GateError) return refuse(conn, asked, alert);
  return asked ? terminate(conn, gate, target, asked) : passOn(conn, gate, target);
}

/** What is no ClientHello; who sends a request in clear reads why, as it can. */
async function refuseOther(conn: Conn): Promise<never> {
  const isRequest = await conn.stream.look((head) => sniffRequestLine(head) === true);
  const state = isRequest ? "a request in clear came" : "broken, or larger than 16 KiB";
  const reason = new GateError("malformed", "client", `Cannot read a ClientHello: ${state}`);
  const isInside = conn.peer.layers.length > 0;
  const sentence = isInside ? "No HTTP is served in here." : "This port is for TLS: try https://.";
  return await refuse(conn, reason, isRequest ? () => plainAnswer(400, "malformed", { sentence }) : alert);
}

async function passOn(conn: Conn, gate: Gate, target: Target | undefined): Promise<void> {
  using upstream = await connectOrRefuse(conn, gate, target, alert);
  gate.relay(conn, upstream);
}

function terminationOf(
  conn: Conn,
  gate: Gate,
  target: Target | undefined,
): Termination | GateError | undefined {
  try {
    return gate.termination(target, conn);
  } catch (thrown) {
    return asGateError(thrown);
  }
}

async function secure(lower: Stream, { context, name, timeout, signal }: Securing): Promise<Stream> {
  return (await connectTls(lower, context, name, { timeout, signal })).stream;
}

/** An alert record: TLS 1.2 in its version, as every client expects it here, and level fatal. */
function alert(reason: GateError): Uint8Array {
  return Uint8Array.of(21, 3, 3, 0, 2, 2, ALERT[reason.failure]);
}

export const tls: Protocol = {
  naming: "serverName",
  sniff: sniffClientHello,
  catches: sniffRequestLine,
  serve,
  secure,
  wrap,
};
