/** What the texts of a configuration mean. Each reader answers the value, or what it expected instead. */
import {
  canonicalHost,
  formatIp,
  isUnixHost,
  normalName,
  normalPattern,
  parseCidr,
  parseIp,
  parseTarget,
  type Target,
} from "../address.ts";
import { IDENTITY, readIdentityName } from "../identity/identity.ts";
import type { Coding, RetryReason } from "../requests.ts";
import { parseHash } from "../password_hash.ts";
import {
  addressMeant,
  backendMeant,
  durationMeant,
  sizeMeant,
  targetMeant,
  urlMeant,
  variableMeant,
} from "./meant.ts";
import { regexFault } from "./regex_check.ts";
import { wellWritten } from "../path_spelling.ts";
import { readingsOf } from "../request_path.ts";
import type { HostAddress } from "./configuration.ts";
import { BYTES, MILLISECONDS } from "./units.ts";

/**
 * What a text should have been; `got` is the wrong part of it, where that is not the whole; `meant` says the same with
 * the text itself in it, for where that may be shown.
 */
export class Mistake {
  constructor(readonly expected: string, readonly got?: string, readonly meant?: string) {}
}
export type Reading<T> = T | Mistake;

export const PORT = "a port from 1 to 65535";
export const TARGET = "a target host:port, [v6]:port, unix:/path or unix:@name";
export const BACKEND = `${TARGET}, or http:// or https:// and such a target`;
export const SERVER_NAME = "a name or an IP address";
export const PATH = "a path such as /api, without query and dot segments";
export const REGEX = "a regular expression for paths";
export const METHOD = "a method such as GET, in upper case";
export const MIRROR = `http:// and ${TARGET}`;
export const CHECK_PATH = "a path such as /healthz";
export const CODINGS = ["zstd", "gzip"] as const satisfies readonly Coding[];
export const RETRY_REASONS: readonly RetryReason[] = ["connect", 502, 503, 504];
export const RETRY = `one of ${RETRY_REASONS.join(", ")}`;
export const LISTEN = 'an address such as ":443", "127.0.0.1:443", "[::1]:443", "unix:/path" or "unix:@name"';
export const PATTERN = "one name, *.name or * (an address is none)";
export const NAME = "a name of letters, digits, dashes, underscores and dots";
export const DURATION = "a duration such as 500ms, 3s, 2m or 1h, at most 500h";
export const ISSUER = "the URL of an issuer, as https://login.example.com";
export const KEY_SOURCE = "an https:// URL, or the path of a file";
export const SIZE = "a size such as 64KiB or 10MiB";
export const EMAIL = "an address such as me@example.com";
export const DIRECTORY = "a URL that begins with https://, or staging for Let's Encrypt's staging directory";
export const EXACT_NAME = "a name (for a wildcard an authority wants to see the DNS changed: give a file)";
export const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";
const HTTP_SCHEME = "http://", HTTPS_SCHEME = "https://";
export { IDENTITY };
/** Below 2^31 ms, which timers and poll timeouts end at. */
const LONGEST = 500 * MILLISECONDS.h;
/** RFC 1929: user names and passwords have 1 to 255 bytes. */
const LONGEST_SECRET = 255;

export function readTarget(text: string): Reading<Target> {
  const expected = text.includes("://") ? `${TARGET}, without a scheme` : TARGET;
  return parseTarget(text) ?? badPort(text, 1) ?? new Mistake(expected, undefined, targetMeant(text));
}

/** Where layers are spoken: a target whose port may be left out; it is 0 then. */
export function readVia(text: string): Reading<Target> {
  const host = canonicalHost(text.replace(/^\[(.*)\]$/, "$1"));
  return host === undefined || isUnixHost(host) ? readTarget(text) : { host, port: 0 };
}

/** `host:port`, or `http://host:port` where connections are handled as HTTP, and `https://` where they go on in TLS. */
export interface Backend {
  readonly target: Target;
  readonly http: boolean;
  readonly secure: boolean;
}

export function readBackend(text: string): Reading<Backend> {
  const scheme = [HTTP_SCHEME, HTTPS_SCHEME].find((each) => text.startsWith(each)) ?? "";
  const target = readTarget(text.slice(scheme.length)), http = scheme !== "";
  if (!(target instanceof Mistake)) return { target, http, secure: scheme === HTTPS_SCHEME };
  if (target.got) return target;
  const expected = !http && text.includes("://") ? `${BACKEND}, without another scheme` : BACKEND;
  return new Mistake(expected, undefined, http ? urlMeant(text, scheme) : backendMeant(text));
}

/** Whom a certificate has to be for: a normal name, or an IP literal. */
export function readServerName(text: string): Reading<string> {
  const ip = parseIp(text);
  return (ip === undefined ? normalName(text) : formatIp(ip)) ?? new Mistake(SERVER_NAME);
}

/** What is asked: a path with its query, of visible ASCII as a request line has it. */
export function readCheckPath(text: string): Reading<string> {
  return /^\/[!-~]*$/.test(text) && !text.includes("#") ? text : new Mistake(CHECK_PATH);
}

/** Where copies of requests go. */
export function readMirror(text: string): Reading<Target> {
  const backend = readBackend(text);
  if (backend instanceof Mistake) return backend.got ? backend : new Mistake(MIRROR);
  return backend.http && !backend.secure ? backend.target : new Mistake(MIRROR);
}

export function readRetryReason(text: string): Reading<RetryReason> {
  return RETRY_REASONS.find((reason) => String(reason) === text) ?? new Mistake(RETRY);
}

/** The path of a route, in normal form; a slash at its end means nothing. */
export function readPrefix(text: string): Reading<{ readonly prefix: string }> {
  const path = readPath(text);
  if (path instanceof Mistake) return path;
  return { prefix: path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path };
}

export function readPath(text: string): Reading<string> {
  const path = /^\/[\x21-\x7e]*$/.test(text) && !/[?#]/.test(text) ? readingsOf(text) : undefined;
  if (!path) return new Mistake(PATH);
  const written = wellWritten(text), meant = text.includes("{") ? variableMeant(text) : undefined;
  if (meant) return new Mistake(`${PATH}; ${meant}`);
  return written.toUpperCase() === text.toUpperCase()
    ? path.normal
    : new Mistake(`${written}: only what has to be is escaped`);
}

export function readRegex(text: string): Reading<string> {
  const fault = regexFault(text);
  return fault === undefined ? text : new Mistake(`${REGEX}: ${fault}`);
}

/** A token of RFC 9110 9.1; it is case-sensitive, and no method in use has a small letter. */
export function readMethod(text: string): Reading<string> {
  return /^[A-Z0-9!#$%&'*+.^_`|~-]{1,32}$/.test(text) && text !== "CONNECT" ? text : new Mistake(METHOD);
}

/** The name of a header as it is compared. */
export function readFieldName(text: string): Reading<string> {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)
    ? text.toLowerCase()
    : new Mistake("the name of a header");
}

/** What a header may say: no control characters, no blanks around it. */
export function readFieldValue(text: string): Reading<string> {
  return /^\P{Cc}*$/u.test(text) && text.trim() === text ? text : new Mistake("the value of a header");
}

/** Where to listen: an address of this machine, the host "" for all of them; port 0 is any free one. */
export function readListen(text: string): Reading<Target> {
  if (isUnixHost(text)) return parseTarget(text) ?? new Mistake(LISTEN);
  const wrongPort = badPort(text, 0);
  if (wrongPort) return wrongPort;
  const [, quoted, bare, port] = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]+)$/.exec(text) ?? [];
  if (port === undefined) return new Mistake(LISTEN, undefined, addressMeant(text));
  if (bare === "") return { host: "", port: Number(port) };
  const ip = quoted?.includes(":") === false ? undefined : parseIp(quoted ?? bare);
  if (ip !== undefined) return { host: formatIp(ip), port: Number(port) };
  return new Mistake(
    bare && normalName(bare) ? `${LISTEN} (names are none: 127.0.0.1 is this machine)` : LISTEN,
  );
}

function badPort(text: string, least: number): Mistake | undefined {
  const port = isUnixHost(text) ? undefined : /:([0-9]+)$/.exec(text)?.[1];
  if (port === undefined || (Number(port) >= least && Number(port) <= 65535)) return undefined;
  return new Mistake(PORT, port);
}

/** `IP:port` */
export function readSocketAddress(text: string): Reading<Target> {
  const target = readTarget(text);
  if (target instanceof Mistake) return target.got ? target : new Mistake("an address IP:port");
  return parseIp(target.host) === undefined ? new Mistake("an address IP:port") : target;
}

/** `IP` or `IP:port` */
export function readHostAddress(text: string): Reading<HostAddress> {
  const ip = parseIp(text);
  if (ip !== undefined) return { host: formatIp(ip) };
  const target = readSocketAddress(text);
  return target instanceof Mistake && !target.got ? new Mistake("an address IP or IP:port") : target;
}

/** `IP`, or `IP:port` where a server of names is not asked at port 53. */
export function readServer(text: string): Reading<Target> {
  const address = readHostAddress(text);
  return address instanceof Mistake ? address : { port: 53, ...address };
}

export function readCidr(text: string): Reading<string> {
  return parseCidr(text) === undefined ? new Mistake("a network such as 10.0.0.0/8 or fd00::/8") : text;
}

/** What `addresses` of a policy rule holds: a network, or the path of a unix socket. */
export function readReach(text: string): Reading<string> {
  if (isUnixHost(text) && parseTarget(text) !== undefined) return text;
  return readCidr(text) instanceof Mistake
    ? new Mistake("a network such as 10.0.0.0/8, or unix:/path")
    : text;
}

/** What listeners are called: it stands in labels of metrics and in the log. */
export function readName(text: string): Reading<string> {
  return /^[A-Za-z0-9][\w.-]{0,63}$/.test(text) ? text : new Mistake(NAME);
}

export function readPattern(text: string): Reading<string> {
  const pattern = normalPattern(text);
  if (pattern !== undefined) return pattern;
  const extra = text.includes("://") ? ", without a scheme" : /:[0-9]+$/.test(text) ? ", without a port" : "";
  return new Mistake(PATTERN + extra);
}

export function readDomain(text: string): Reading<string> {
  return normalName(text) ?? new Mistake("a name");
}

/** As a mailto URL takes it without escapes. */
export function readEmail(text: string): Reading<string> {
  return /^[\w.+-]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(text) ? text : new Mistake(EMAIL);
}

/** The URL of an ACME directory (RFC 8555 7.1.1), which has to be https. */
export function readDirectory(text: string): Reading<string> {
  if (text === "staging") return STAGING;
  const url = text.startsWith("https://") && URL.canParse(text) ? new URL(text) : undefined;
  return url && !url.username && !url.password && !url.hash ? url.href : new Mistake(DIRECTORY);
}

/** A name that stands for itself alone. */
export function readExactName(text: string): Reading<string> {
  return normalName(text) ?? new Mistake(EXACT_NAME);
}

/** `443` or `8000-8999`, inclusive. */
export function readPorts(text: string): Reading<readonly [number, number]> {
  const [, first, last = first] = /^([0-9]+)(?:-([0-9]+))?$/.exec(text) ?? [];
  if (first === undefined) return new Mistake('a port or a range such as 443 or "8000-8999"');
  for (const port of [first, last]) {
    if (Number(port) < 1 || Number(port) > 65535) return new Mistake(PORT, port);
  }
  return Number(first) > Number(last)
    ? new Mistake("a range that begins with the lower port")
    : [Number(first), Number(last)];
}

export function readDuration(text: string, least = 1): Reading<number> {
  const [, count, unit] = /^([0-9]{1,10})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(count) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
  return ms >= least && ms <= LONGEST ? ms : new Mistake(DURATION, undefined, durationMeant(text));
}

export function readSize(text: string): Reading<number> {
  const [, count, unit] = /^([0-9]{1,10})(B|KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(count) * BYTES[unit as keyof typeof BYTES];
  return Number.isSafeInteger(bytes) ? bytes : new Mistake(SIZE, undefined, sizeMeant(text));
}

/** Taken for a password, a hash that leaked would be one. */
const FOREIGN_HASH =
  /^(?:\$(?:1|2[abxy]?|5|6|7|y|apr1|argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*)\$|\{[A-Z0-9-]+\}).{16,}$/;

/** A password as it is, or a hash that `ugate hash` printed. */
export function readPassword(text: string): Reading<string> {
  if (text.startsWith("scrypt:")) {
    return parseHash(text) ? text : new Mistake("a hash as `ugate hash` prints it");
  }
  if (FOREIGN_HASH.test(text)) {
    return new Mistake(
      "a password, or a hash as `ugate hash` prints it: one of crypt(3) or htpasswd is not read",
    );
  }
  return isSecretText(text) ? text : new Mistake("a password of 1 to 255 bytes");
}

/** A user name; a colon would end it in Basic authentication (RFC 7617 2). */
export function readUser(text: string): Reading<string> {
  return isSecretText(text) && !/[:\p{Cc}]/u.test(text) ? text : new Mistake("a user name without a colon");
}

/** Whom a rule names, in the one spelling of it. */
/** Whom a layer may have to meet. */
export const HOST_IDENTITY = "key:ID, ssh:SHA256:… or spiffe://…";

export function readHostIdentity(text: string): Reading<string> {
  const name = readIdentityName(text);
  return name && /^(?:key|ssh|spiffe):/.test(name) ? name : new Mistake(`an identity ${HOST_IDENTITY}`);
}

export function readIdentity(text: string): Reading<string> {
  return readIdentityName(text) ?? new Mistake(`an identity ${IDENTITY}`);
}

/** As it is written: tokens have to say exactly that. */
export function readIssuer(text: string): Reading<string> {
  return httpUrl(text) ? text : new Mistake(ISSUER);
}

/** Where the keys of an issuer are. */
export type KeyPlace = { readonly url: string } | { readonly file: string };

export function readKeySource(text: string): Reading<KeyPlace> {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return text === "" || text.includes("\n") ? new Mistake(KEY_SOURCE) : { file: text };
  }
  return httpUrl(text) ? { url: text } : new Mistake(KEY_SOURCE);
}

/** Without a login, which would be told wherever the URL is. */
function httpUrl(text: string): URL | undefined {
  const url = /^https?:\/\/[^\s#]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  return url?.username === "" && url.password === "" ? url : undefined;
}

/** `user:password` */
export function readCredentials(text: string): Reading<string> {
  const colon = text.indexOf(":");
  const right = isSecretText(text.slice(0, Math.max(0, colon))) && isSecretText(text.slice(colon + 1));
  return right ? text : new Mistake("user:password, each of 1 to 255 bytes");
}

function isSecretText(text: string): boolean {
  return text !== "" && new TextEncoder().encode(text).length <= LONGEST_SECRET;
}
