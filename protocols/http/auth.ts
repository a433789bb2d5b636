/** `auth` of a route: what has to be proven of who makes a request, before anything else is done for it. */
import { Buffer } from "node:buffer";
import type {
  AuthRule,
  ClientCertificate,
  Conn,
  Credentials,
  Gate,
  PasswordRule,
  TokenAnswer,
  TokenRule,
} from "../../gate/contracts.ts";
import { asGateError, atLimit, GateError } from "../../gate/errors.ts";
import { basicCredentials } from "./basic.ts";
import { clientAddress } from "./client_address.ts";
import { dropKind } from "./drop_lines.ts";
import { type Edits, fieldLine } from "./edits.ts";
import type { Exchange } from "./exchange.ts";
import { KIND } from "./field_kinds.ts";
import { octets } from "./octets.ts";
import { RequestRefused } from "./own_answer.ts";
import { proofKey, Proofs } from "./proofs.ts";
import type { Admit, Incoming } from "./rules.ts";

/** DER of a certificate that goes upstream: in base64 it has to fit beside the rest of a head. */
const LONGEST_CERTIFICATE = 16 * 1024;
/** RFC 6750 2.1, of at most 16 KiB. */
const BEARER = /^bearer +([\w.~+/-]{1,16384}=*)$/i;
/** An answer that is no yes is asked for again after so long: a key may be known then. ms */
const REFUSAL_HOLDS = 10_000;
const MOST_PROOFS = 4096, MOST_REFUSALS = 1024;

/** Who was proven, and the line that tells it upstream. */
interface Proof {
  readonly user: string | undefined;
  readonly line: Uint8Array | undefined;
  readonly until: number;
}

const proofs = new Proofs<Proof>(MOST_PROOFS);
const refusals = new Proofs<{ readonly answer: TokenAnswer; readonly until: number }>(MOST_REFUSALS);
const certificateLines = new WeakMap<ClientCertificate, Uint8Array>();
/** Rules that were made: another snapshot has others, so what an earlier one believed is worth nothing. */
let rules = 0;

export interface Authentication {
  readonly admit: Admit;
  /** Who was proven goes upstream; a password that was for the gate does not. */
  readonly edit: (edits: Edits, request: Incoming) => void;
}

/** All that is given has to be proven. */
export function authentication({ basic, jwt, certificate }: AuthRule): Authentication {
  const rule = String(++rules);
  return {
    admit(request) {
      if (certificate) requireCertificate(request.conn);
      if (basic) return provePassword(basic, rule, request);
      if (jwt) return proveToken(jwt, rule, request);
    },
    edit(edits, { head, exchange, conn }) {
      if (exchange.userLine) edits.add(exchange.userLine);
      if (basic) dropKind(head, KIND.authorization);
      if (certificate) edits.add(certificateLine(conn.peer.clientCertificate!));
    },
  };
}

function requireCertificate({ peer: { clientCertificate } }: Conn): void {
  if (clientCertificate && clientCertificate.der.length <= LONGEST_CERTIFICATE) return;
  const why = clientCertificate
    ? `its certificate has more than ${LONGEST_CERTIFICATE} bytes`
    : "it has none";
  throw new GateError(
    "denied",
    "client",
    `Cannot serve a request: a client certificate is needed, and ${why}`,
  );
}

/** RFC 9440 2: a byte sequence of Structured Fields. */
function certificateLine(certificate: ClientCertificate): Uint8Array {
  const there = certificateLines.get(certificate);
  if (there) return there;
  const line = octets(`Client-Cert: :${Buffer.from(certificate.der).toString("base64")}:\r\n`);
  certificateLines.set(certificate, line);
  return line;
}

/**
 * What was right is remembered for the source that gave it: what others may ask of this memory would be guesses that
 * nobody counts.
 */
function provePassword(rule: PasswordRule, number: string, request: Incoming): void | Promise<void> {
  const value = onlyAuthorization(request);
  if (value === undefined) throw passwordNeeded(rule, "no Basic credentials came with it");
  const source = clientAddress(request), key = proofKey(`${number} ${source}`, value);
  const proof = proofs.get(key);
  if (proof) return prove(request.exchange, proof);
  const given = basicCredentials(value);
  if (!given) throw passwordNeeded(rule, "no Basic credentials came with it");
  return verifyPassword(rule, given, askingOf(request, source, key));
}

/** What outlives the synchronous call of a request. */
interface Asking {
  readonly exchange: Exchange;
  readonly conn: Conn;
  readonly gate: Gate;
  readonly source: string;
  readonly key: string;
}

const askingOf = ({ exchange, conn, gate }: Incoming, source: string, key: string): Asking => (
  { exchange, conn, gate, source, key }
);

async function verifyPassword(rule: PasswordRule, given: Credentials, asking: Asking): Promise<void> {
  const { exchange, conn, gate, source, key } = asking;
  const right = await gate.checkPassword(rule, given, source, conn).catch((thrown) => {
    throw mustWait(thrown, 3);
  });
  if (!right) throw passwordNeeded(rule, "wrong user or password");
  const proof = { user: given.user, line: userLine(given.user), until: Infinity };
  proofs.set(key, proof);
  prove(exchange, proof);
}

function proveToken(rule: TokenRule, number: string, request: Incoming): void | Promise<void> {
  const value = onlyAuthorization(request);
  const [, token] = value === undefined ? [] : BEARER.exec(value) ?? [];
  if (token === undefined) {
    const malformed = value !== undefined && /^bearer\b/i.test(value);
    throw malformed ? tokenRefused({ verdict: "wrong", why: "it is malformed" }) : tokenNeeded();
  }
  const key = proofKey(number, token), proof = proofs.get(key);
  if (proof) return prove(request.exchange, proof);
  const refused = refusals.get(key);
  if (refused) throw tokenRefused(refused.answer);
  return verifyToken(rule, token, askingOf(request, clientAddress(request), key));
}

async function verifyToken(rule: TokenRule, token: string, asking: Asking): Promise<void> {
  const { exchange, conn, gate, source, key } = asking;
  const answer = await gate.checkToken(rule, token, source, conn).catch((thrown) => {
    throw mustWait(thrown, 1);
  });
  if (answer.verdict !== "right") {
    refusals.set(key, { answer, until: Date.now() + REFUSAL_HOLDS });
    throw tokenRefused(answer);
  }
  const { subject, until } = answer;
  const proof = { user: subject, line: subject === undefined ? undefined : userLine(subject), until };
  proofs.set(key, proof);
  prove(exchange, proof);
}

function prove(exchange: Exchange, { user, line }: Proof): void {
  exchange.user = user;
  exchange.userLine = line;
}

const userLine = (user: string): Uint8Array => fieldLine("X-Forwarded-User", user);

/** The value of the one Authorization there is; with two of them an upstream might read the other one. */
function onlyAuthorization({ head, bytes }: Incoming): string | undefined {
  const line = head.find(KIND.authorization);
  if (line < 0 || head.find(KIND.authorization, line + 1) >= 0) return undefined;
  const start = head.lines[4 * line + 2], end = head.lines[4 * line + 3];
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1"); // kept nowhere
}

/** RFC 7617 2. */
function passwordNeeded({ realm }: PasswordRule, why: string): RequestRefused {
  const challenge = `WWW-Authenticate: Basic realm="${realm}", charset="UTF-8"`;
  return refused(401, [challenge], "unauthenticated", `a user and a password are needed, and ${why}`);
}

/** RFC 6750 3: who gave none learns only that one is needed. */
function tokenNeeded(): RequestRefused {
  const reason = refused(401, [`WWW-Authenticate: ${BEARER_REALM}`], "unauthenticated", "a token is needed");
  reason.sentence = "A bearer token is needed.";
  return reason;
}

const BEARER_REALM = 'Bearer realm="ugate"';

function tokenRefused(answer: TokenAnswer): RequestRefused {
  if (answer.verdict !== "wrong") {
    const challenge = `WWW-Authenticate: ${BEARER_REALM}, error="insufficient_scope"`;
    const reason = refused(403, [challenge], "denied", "its token has not the claims that are needed");
    reason.sentence = "The token does not allow this.";
    return reason;
  }
  const { why } = answer;
  const challenge =
    `WWW-Authenticate: ${BEARER_REALM}, error="invalid_token", error_description="Not accepted: ${why}"`;
  const reason = refused(401, [challenge], "unauthenticated", `its token is not accepted: ${why}`);
  reason.sentence = `The token is not accepted: ${why}.`;
  return reason;
}

const refused = (
  status: number,
  fields: readonly string[],
  failure: "unauthenticated" | "denied",
  why: string,
) => new RequestRefused(status, fields, failure, "client", `Cannot serve a request: ${why}`);

/** RFC 6585 4, after so many seconds; and where the gate itself cannot tell now, 503. */
function mustWait(thrown: unknown, seconds: number): GateError {
  const reason = asGateError(thrown), { failure, side, message, limit } = reason;
  const throttled = failure === "exhausted" && side === "client";
  if (!throttled && failure !== "unreachable") return reason;
  const fields = [`Retry-After: ${throttled ? seconds : 5}`];
  const refused = new RequestRefused(throttled ? 429 : 503, fields, failure, side, message, reason.cause);
  refused.sentence = throttled
    ? "Too many wrong credentials came from this address; wait a few seconds."
    : "Credentials cannot be verified now.";
  return limit ? atLimit(limit, refused) : refused;
}
