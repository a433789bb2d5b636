/** Messages of user authentication (RFC 4252), as the server reads and writes them. */
import { malformed } from "../failure.ts";
import * as numbers from "../numbers.ts";
import { encoded, type Reader } from "../wire.ts";

/** One request, up to what belongs to its method. */
export interface Request {
  readonly user: string;
  readonly service: string;
  readonly method: string;
}

/** A key that is shown, and perhaps what was signed with it. */
export interface ShownKey {
  /** As the request names it: `rsa-sha2-512`. */
  readonly algorithm: string;
  readonly blob: Uint8Array;
  /** Absent: the client asks whether the key would do. */
  readonly signature?: Uint8Array;
}

/** Octets of a login name. */
const MOST_USER = 1024;

/** Throws GateError "malformed". */
export function readRequest(from: Reader): Request {
  const name = from.string(), service = from.name(), method = from.name();
  if (from.failed || name.length > MOST_USER) throw broken();
  return { user: new TextDecoder().decode(name), service, method };
}

/** Copies. Throws GateError "malformed". */
export function readShownKey(from: Reader): ShownKey {
  const signed = from.boolean(), algorithm = from.name(), blob = from.string().slice();
  const signature = signed ? from.string().slice() : undefined;
  if (!from.whole) throw broken();
  return { algorithm, blob, signature };
}

/** The password; undefined: the client wants to change one. Throws GateError "malformed". */
export function readPassword(from: Reader): string | undefined {
  const changes = from.boolean(), password = from.text();
  if (changes) from.string();
  if (!from.whole) throw broken();
  return changes ? undefined : password;
}

export const failure = (methods: readonly string[]): Uint8Array =>
  encoded((to) => to.byte(numbers.USERAUTH_FAILURE).nameList(methods).boolean(false));

export const SUCCESS = Uint8Array.of(numbers.USERAUTH_SUCCESS);

/** Lines end as terminals want it. */
export const banner = (text: string): Uint8Array =>
  encoded((to) =>
    to.byte(numbers.USERAUTH_BANNER).text(`${text.trimEnd().replaceAll(/\r?\n/g, "\r\n")}\r\n`).text("")
  );

/** Such a key would do. */
export const wouldDo = ({ algorithm, blob }: ShownKey): Uint8Array =>
  encoded((to) => to.byte(numbers.USERAUTH_PK_OK).text(algorithm).string(blob));

/** What the client signs (RFC 4252 7): bound to this connection alone. */
export const signedData = (
  session: Uint8Array,
  { user, service, method }: Request,
  { algorithm, blob }: ShownKey,
): Uint8Array =>
  encoded((to) =>
    to.string(session).byte(numbers.USERAUTH_REQUEST).text(user).text(service).text(method).boolean(true)
      .text(algorithm).string(blob)
  );

const broken = () => malformed("client", "log in", "a broken request");
