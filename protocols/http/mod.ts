/**
 * HTTP: each request by a route of its own where the listener's routes handle it, or to where it says itself where the
 * listener is a proxy; else the whole connection by the Host of its first request, and HTTP/2 in clear by the route alone.
 */
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Protocol } from "../../gate/contracts.ts";
import type { Verdict } from "../../gate/streams.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { sniffPrefix } from "../common/prefix.ts";
import { connectOrRefuse } from "../common/refuse.ts";
import { challengeAnswer } from "./acme_challenge.ts";
import { plainAnswer, STATUS, statusOf } from "./answer.ts";
import { requestedTarget } from "./authority.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { firstRequest } from "./first_request.ts";
import { latin1 } from "./interned.ts";
import type { MessageHead } from "./message_head.ts";
import { writeOwnAnswer } from "./own_answer.ts";
import { proxies } from "./proxied.ts";
import { refuseFault } from "./refuse_fault.ts";
import { sniffRequestLine } from "./sniff_request.ts";
import { serveRequests } from "./serve.ts";

const encoder = new TextEncoder();
const CONNECT = encoder.encode("CONNECT ");
/** RFC 9113 3.4. Its first line reads as a request line too, so sniffing needs no more than that. */
const HTTP2_PREFACE = encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What a client asks for. Nothing is used: the bytes go on as they came. */
interface Asked {
  readonly used: 0;
  /** For a URL, as a proxy is asked. */
  readonly absolute: boolean;
  readonly head: boolean;
  readonly target: Target | undefined;
  /** Of a GET, as it came. */
  readonly path?: string;
}

const STATUSES = { ...STATUS, "no-route": 404, unauthenticated: 403 };

/** Every request but CONNECT, which is a protocol of its own here. */
function sniffHttp(head: Uint8Array): Verdict {
  const verdict = sniffRequestLine(head);
  return verdict !== false && sniffPrefix(head, CONNECT) === true ? false : verdict;
}

function serve(conn: Conn, gate: Gate): Promise<void> | void {
  return gate.handles(conn) ? serveRequests(conn, gate) : serveByFirst(conn, gate);
}

/** The first request tells where the connection goes. */
async function serveByFirst(conn: Conn, gate: Gate): Promise<void> {
  conn.deadline(conn.limits.handshakeTimeout);
  const asked = await conn.stream.next(askedFor(conn.limits.headSize));
  if ("fault" in asked) return await refuseFault(conn, asked);
  const text = gate.challenged && asked.path !== undefined ? gate.challenge(asked.path, conn) : undefined;
  if (text !== undefined) return await conn.stream.write(challenge(text));
  if (asked.absolute && proxies(conn)) return await served((over) => serveRequests(conn, gate, over));
  using upstream = await connectOrRefuse(conn, gate, asked.target, (reason) => {
    return plainAnswer(statusOf(reason, STATUSES), reason.failure, { head: asked.head });
  });
  gate.relay(conn, upstream);
}

function served(serving: (over: (thrown?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    serving((thrown) => {
      promiseResolved();
      if (thrown === undefined) resolve();
      else reject(thrown);
    })
  );
}

/** The whole response, behind which the connection ends. */
const challenge = (text: string): Uint8Array =>
  writeOwnAnswer(challengeAnswer(text), { head: false, stays: false });

const HTTP2: Asked = { used: 0, absolute: false, head: false, target: undefined };

function askedFor(limit: number): (bytes: Uint8Array) => Asked | Fault | number {
  const read = firstRequest(limit, askedBy);
  return (bytes) => {
    const http2 = sniffPrefix(bytes, HTTP2_PREFACE);
    if (http2 === true) return HTTP2;
    return http2 === false ? read(bytes) : bytes.length + 1;
  };
}

function askedBy(head: MessageHead, bytes: Uint8Array): Asked | Fault {
  const target = requestedTarget(head, bytes);
  if (!target && head.authorityEnd > 0) return FAULTS.host;
  const path = head.method === "GET" ? latin1(bytes, head.targetStart, head.targetEnd) : undefined;
  return { used: 0, absolute: head.form === "absolute", head: head.method === "HEAD", target, path };
}

export const http: Protocol = { naming: "host", sniff: sniffHttp, serve };
