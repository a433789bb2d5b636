/** The server side of SOCKS5, 4 and 4A. */
import type { Conn, Gate } from "../../gate/contracts.ts";
import { asGateError, type Failure, GateError } from "../../gate/errors.ts";
import { quote } from "../common/named.ts";
import { connectOrRefuse, refuse } from "../common/refuse.ts";
import {
  CONNECT,
  type Greeting,
  NO_ACCEPTABLE_METHOD,
  NO_AUTHENTICATION,
  PASSWORD,
  readLogin,
  readOpening,
  readRequest5,
  reply4,
  reply5,
  type Request,
} from "./messages.ts";

/** RFC 1928 6. */
const REPLY: Readonly<Record<Failure, number>> = {
  malformed: 1,
  unsupported: 7,
  unauthenticated: 2,
  denied: 2,
  "no-route": 4,
  refused: 5,
  unreachable: 4,
  timeout: 6,
  reset: 1,
  closed: 1,
  exhausted: 1,
  internal: 1,
};
const ADDRESS_TYPE_NOT_SUPPORTED = 8;
/** SOCKS4 has one word for every failure. */
const REJECTED = 91;

/** RFC 1929 2. */
const LOGGED_IN = Uint8Array.of(1, 0);
const LOGIN_FAILED = Uint8Array.of(1, 1);
const GRANTED5 = reply5(0);
const GRANTED4 = reply4(90);

export async function serve(conn: Conn, gate: Gate): Promise<void> {
  conn.deadline(conn.limits.handshakeTimeout);
  const opening = await conn.stream.next(readOpening);
  const request = "offers" in opening ? await negotiate(conn, gate, opening) : opening;
  const answer = (reason: GateError) => refusal(request, reason);
  const fault = requestFault(conn, request);
  if (fault) return await refuse(conn, fault, answer);
  using upstream = await connectOrRefuse(conn, gate, request.target, answer);
  await conn.stream.write(request.version === 5 ? GRANTED5 : GRANTED4);
  gate.relay(conn, upstream);
}

/** RFC 1928 3 and RFC 1929, up to the request. */
async function negotiate(conn: Conn, gate: Gate, { offers }: Greeting): Promise<Request> {
  const { asksUser } = conn; // a reload may change it before the client has read the method
  const method = asksUser ? PASSWORD : NO_AUTHENTICATION;
  if (!(asksUser ? offers.password : offers.none)) {
    const reason = asksUser
      ? new GateError("unauthenticated", "client", "Cannot serve SOCKS5: the client offers no password")
      : new GateError(
        "unsupported",
        "client",
        "Cannot serve SOCKS5: the client offers no method without a user",
      );
    await refuse(conn, reason, () => Uint8Array.of(5, NO_ACCEPTABLE_METHOD));
  }
  await conn.stream.write(Uint8Array.of(5, method));
  if (asksUser) await login(conn, gate);
  return await conn.stream.next(readRequest5);
}

async function login(conn: Conn, gate: Gate): Promise<void> {
  const { user, password } = await conn.stream.next(readLogin);
  const failed = (thrown: unknown) => refuse(conn, asGateError(thrown), () => LOGIN_FAILED);
  if (!await gate.login(conn, user, password).catch(failed)) {
    const state = "wrong user or password";
    const reason = new GateError("unauthenticated", "client", `Cannot log in ${quote(user)}: ${state}`);
    await refuse(conn, reason, () => LOGIN_FAILED);
  }
  await conn.stream.write(LOGGED_IN);
}

/** Why the request itself cannot be served. */
function requestFault(conn: Conn, { version, command, known, text, target }: Request): GateError | undefined {
  const act = `Cannot serve a SOCKS${version} request`;
  if (version === 4 && conn.asksUser) {
    return new GateError("unauthenticated", "client", `${act}: the listener asks for a password`);
  }
  if (command !== CONNECT) return new GateError("unsupported", "client", `${act}: command ${command}`);
  if (!known) return new GateError("unsupported", "client", `${act}: ${text}`);
  if (!target) return new GateError("malformed", "client", `${act}: no target in ${quote(text)}`);
  return undefined;
}

function refusal(request: Request, reason: GateError): Uint8Array {
  if (request.version === 4) return reply4(REJECTED);
  return reply5(
    !request.known && request.command === CONNECT ? ADDRESS_TYPE_NOT_SUPPORTED : REPLY[reason.failure],
  );
}
