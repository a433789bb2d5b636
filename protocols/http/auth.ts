/** `auth` of a route: what has to be proven of who makes a request, before anything else is done for it. */
import { Buffer } from "node:buffer";
import type { ClientCertificate, Conn, Gate } from "../../gate/contracts.ts";
import type {
  AuthRule,
  Credentials,
  PasswordRule,
  Proven,
  TokenAnswer,
  TokenRule,
} from "../../gate/requests.ts";
import { GateError, telling } from "../../gate/errors.ts";
import { basicCredentials } from "./basic.ts";
import { mustWait, passwordNeeded, tokenNeeded, tokenRefused } from "./challenges.ts";
import { clientAddress } from "./client_address.ts";
import { dropKind } from "./drop_lines.ts";
import { type Edits, fieldLine } from "./edits.ts";
import type { Exchange } from "./exchange.ts";
import { KIND } from "./field_kinds.ts";
import { octets } from "./octets.ts";
import { type Proof, proofKey, Proofs } from "./proofs.ts";
import type { Admit, Incoming } from "./rules.ts";

/** DER of a certificate that goes upstream: in base64 it has to fit beside the rest of a head. */
const LONGEST_CERTIFICATE = 16 * 1024;
/** RFC 6750 2.1, of at most 16 KiB. */
const BEARER = /^bearer +([\w.~+/-]{1,16384}=*)$/i;
/** An answer that is no yes is asked for again after so long: a key may be known then. ms */
const REFUSAL_HOLDS = 10_000;
/** No Authorization that is longer is looked at. */
const LONGEST_VALUE = 24 * 1024;
const MOST_PROOFS = 4096, MOST_REFUSALS = 1024;

const proofs = new Proofs<Proof>(MOST_PROOFS);
const refusals = new Proofs<{ readonly answer: TokenAnswer; readonly until: number }>(MOST_REFUSALS);
const certificateLines = new WeakMap<ClientCertificate, Uint8Array>();
/** What a certificate alone proves is the connection's. */
const SHOWN: Proven = { expires: Infinity };
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
      if (basic) return provePassword(basic, rule, request); // who is being verified has nothing yet to lose
      if (jwt) return proveToken(jwt, rule, request);
      request.conn.proven = SHOWN;
    },
    edit(edits, { head, exchange, conn }) {
      if (exchange.userLine) edits.add(exchange.userLine);
      if (basic) dropKind(head, KIND.authorization);
      if (certificate) edits.add(certificateLine(conn.peer.clientCertificate!));
    },
  };
}

function requireCertificate({ peer: { clientCertificate } }: Conn): void {
  const why = lackOf(clientCertificate);
  if (why === undefined) return;
  const needed = "a client certificate is needed";
  throw telling(needed, new GateError("denied", "client", `Cannot serve a request: ${needed}, and ${why}`));
}

/** Of a certificate that the listener's roots vouch for. */
function lackOf(certificate: ClientCertificate | undefined): string | undefined {
  if (!certificate) return "it has none";
  if (certificate.der.length > LONGEST_CERTIFICATE) {
    return `its certificate has more than ${LONGEST_CERTIFICATE} bytes`;
  }
  return certificate.notAfter <= Date.now() ? "its certificate has expired" : undefined;
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
  const source = clientAddress(request), asking = askingOf(request, `${number} ${source}`, value);
  if (isKnown(asking)) return;
  const given = basicCredentials(value);
  if (!given) throw passwordNeeded(rule, "no Basic credentials came with it");
  return verifyPassword(rule, given, asking);
}

/** What outlives the synchronous call of a request. */
interface Asking {
  readonly exchange: Exchange;
  readonly conn: Conn;
  readonly gate: Gate;
  /** What was given, and all that its being right depends on besides. */
  readonly where: string;
  readonly value: string;
}

const askingOf = ({ exchange, conn, gate }: Incoming, where: string, value: string): Asking => (
  { exchange, conn, gate, where, value }
);

/** Whether this was proven before: then it is for this request too. */
function isKnown(asking: Asking): boolean {
  const { exchange: { given }, where, value } = asking;
  const again = given?.where === where && given.value === value && given.proof.until > Date.now();
  const proof = again ? given.proof : proofs.get(proofKey(where, value));
  if (proof) prove(asking, proof);
  return proof !== undefined;
}

function prove({ exchange, conn, where, value }: Asking, proof: Proof): void {
  exchange.given = { where, value, proof };
  conn.proven = proof;
  exchange.user = proof.user;
  exchange.userLine = proof.line;
}

function remember(asking: Asking, proven: Proven, until: number): void {
  const { user } = proven, line = user === undefined ? undefined : fieldLine("X-Forwarded-User", user);
  const proof = { ...proven, line, until };
  proofs.set(proofKey(asking.where, asking.value), proof);
  prove(asking, proof);
}

async function verifyPassword(rule: PasswordRule, given: Credentials, asking: Asking): Promise<void> {
  const { conn, gate } = asking;
  const right = await gate.checkPassword(rule, given, clientAddress(asking), conn).catch((thrown) => {
    throw mustWait(thrown, 3);
  });
  if (!right) throw passwordNeeded(rule, "wrong user or password");
  remember(asking, { user: given.user, digest: rule.digests[given.user], expires: Infinity }, Infinity);
}

function proveToken(rule: TokenRule, number: string, request: Incoming): void | Promise<void> {
  const value = onlyAuthorization(request);
  const [, token] = value === undefined ? [] : BEARER.exec(value) ?? [];
  if (token === undefined) {
    const malformed = value !== undefined && /^bearer\b/i.test(value);
    throw malformed ? tokenRefused({ verdict: "wrong", why: "it is malformed" }) : tokenNeeded();
  }
  const asking = askingOf(request, number, token);
  if (isKnown(asking)) return;
  const refused = refusals.get(proofKey(number, token));
  if (refused) throw tokenRefused(refused.answer);
  return verifyToken(rule, asking);
}

async function verifyToken(rule: TokenRule, asking: Asking): Promise<void> {
  const { conn, gate, where, value } = asking;
  const answer = await gate.checkToken(rule, value, clientAddress(asking), conn).catch((thrown) => {
    throw mustWait(thrown, 1);
  });
  if (answer.verdict !== "right") {
    refusals.set(proofKey(where, value), { answer, until: Date.now() + REFUSAL_HOLDS });
    throw tokenRefused(answer);
  }
  remember(asking, { user: answer.subject, token: rule, expires: answer.expires }, answer.until);
}

/** The value of the one Authorization there is; with two of them an upstream might read the other one. */
function onlyAuthorization({ head, bytes }: Incoming): string | undefined {
  const line = head.find(KIND.authorization);
  if (line < 0 || head.find(KIND.authorization, line + 1) >= 0) return undefined;
  const start = head.valueStart(line), end = head.valueEnd(line);
  if (end - start > LONGEST_VALUE) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1"); // interned nowhere
}
