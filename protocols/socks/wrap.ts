/** The client side of SOCKS5: an upstream proxy. */
import { formatTarget, isUnixHost } from "../../gate/address.ts";
import type { Endpoint, Wrapping } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { type Failure, GateError } from "../../gate/errors.ts";
import { handshake } from "../common/handshake.ts";
import {
  connectRequest,
  loginRequest,
  malformed,
  NO_ACCEPTABLE_METHOD,
  NO_AUTHENTICATION,
  PASSWORD,
  readReply,
} from "./messages.ts";

/** RFC 1928 6, by reply code. */
const FAILURE: readonly (Failure | undefined)[] = [
  undefined,
  "unreachable",
  "denied",
  "unreachable",
  "unreachable",
  "refused",
  "timeout",
  "unsupported",
  "unsupported",
];
const LONGEST = 255;

interface Credentials {
  readonly user: Uint8Array;
  readonly password: Uint8Array;
}

/** Asks the proxy below for `endpoint.address`; names are the proxy's to resolve. */
export async function wrap(
  endpoint: Endpoint,
  lower: () => Promise<Stream>,
  from: Pick<Wrapping, "signal">,
): Promise<Stream> {
  const target = endpoint.address;
  if (isUnixHost(target.host)) {
    throw new GateError(
      "unsupported",
      "gate",
      `Cannot ask a SOCKS proxy for ${target.host}: not a network address`,
    );
  }
  const credentials = endpoint.credentials === undefined ? undefined : split(endpoint.credentials);
  return await handshake(lower, from.signal, async (stream) => {
    await negotiate(stream, credentials);
    await stream.write(connectRequest(target));
    const { code } = await stream.next(readReply);
    if (code === 0) return;
    const state = `the proxy replied ${code}`;
    throw new GateError(
      FAILURE[code] ?? "malformed",
      "upstream",
      `Cannot reach ${formatTarget(target)} through SOCKS: ${state}`,
    );
  });
}

async function negotiate(stream: Stream, credentials: Credentials | undefined): Promise<void> {
  const methods = credentials ? [NO_AUTHENTICATION, PASSWORD] : [NO_AUTHENTICATION];
  await stream.write(Uint8Array.of(5, methods.length, ...methods));
  const method = await readPair(stream, 5, "a SOCKS5 method");
  if (method === NO_AUTHENTICATION) return;
  if (method === NO_ACCEPTABLE_METHOD) throw unauthenticated("the proxy accepts no method that was offered");
  if (method !== PASSWORD || !credentials) {
    throw malformed("a SOCKS5 method", `${method}, not offered`, "upstream");
  }
  await stream.write(loginRequest(credentials.user, credentials.password));
  const status = await readPair(stream, 1, "a SOCKS5 login status");
  if (status !== 0) throw unauthenticated(`the proxy refuses the login with ${status}`);
}

/** A version, and the byte behind it. */
async function readPair(stream: Stream, version: number, what: string): Promise<number> {
  const { value } = await stream.next((bytes) => {
    if (bytes.length < 2) return 2;
    if (bytes[0] !== version) throw malformed(what, `version ${bytes[0]}`, "upstream");
    return { used: 2, value: bytes[1] };
  });
  return value;
}

/** RFC 1929 2: at most 255 bytes each; an empty password is in use. */
function split(credentials: string): Credentials {
  const colon = credentials.indexOf(":");
  const [user, password] = [credentials.slice(0, colon), credentials.slice(colon + 1)]
    .map((text) => new TextEncoder().encode(text));
  if (colon > 0 && user.length <= LONGEST && password.length <= LONGEST) return { user, password };
  throw new GateError(
    "unsupported",
    "gate",
    "Cannot log in to a SOCKS proxy: the credentials are not user:password of at most 255 bytes each",
  );
}

function unauthenticated(state: string): GateError {
  return new GateError("unauthenticated", "upstream", `Cannot log in to a SOCKS proxy: ${state}`);
}
