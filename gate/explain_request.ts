/** A request that `ugate explain` is asked about: what a client would send that was given this URL, and these options. */
import { Buffer } from "node:buffer";
import { formatTarget, parseTarget, type Target } from "./address.ts";

const URL_FORM = /^(https?):\/\/([^/?#@\s]+)((?:[/?][^#]*)?)(?:#.*)?$/i;
const DEFAULT_PORT = { http: 80, https: 443 };
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD = /^([^:]*):[\t ]*(.*?)[\t ]*$/;
/** What no target of a request says as itself. */
const NOT_VISIBLE = /[^\x21-\x7e]/gu;

export interface SupposedRequest {
  /** It comes inside of TLS. */
  readonly secure: boolean;
  /** Its head. The path is as it was written: nothing is resolved in it, as browsers would. */
  readonly bytes: Uint8Array;
  /**
   * What a client sends for it to a proxy: the head, where somebody is to be logged in with credentials, and its first
   * line without the version.
   */
  readonly toProxy: (user: string | undefined) => { readonly bytes: Uint8Array; readonly line: string };
}

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

/** The server and the request; or what is wrong with a word of the command line. */
export function parseRequest(
  url: string,
  { header = [], method = "GET" }: { readonly header?: readonly string[]; readonly method?: string },
): { readonly target: Target; readonly request: SupposedRequest } | string {
  const [, scheme = "", authority = "", rest = ""] = URL_FORM.exec(url) ?? [];
  const secure = scheme.toLowerCase() === "https";
  const target = parseTarget(authority) ??
    parseTarget(`${authority.replace(/:$/, "")}:${secure ? DEFAULT_PORT.https : DEFAULT_PORT.http}`);
  if (!target) {
    return `Cannot read TARGET: expected a URL such as https://host/path, got ${JSON.stringify(url)}`;
  }
  if (!TOKEN.test(method) || method === "CONNECT") {
    return `Cannot read -X: expected a method such as GET, got ${JSON.stringify(method)}`;
  }
  const fields = header.map((line) => FIELD.exec(line));
  const wrong = fields.findIndex((field) => !TOKEN.test(field?.[1] ?? ""));
  if (wrong >= 0) return `Cannot read -H: expected "name: value", got ${JSON.stringify(header[wrong])}`;
  const lines = fields.map((field) => `${field![1]}: ${field![2]}`);
  if (!lines.some((line) => /^host:/i.test(line))) lines.unshift(`Host: ${authority}`);
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const [place, inPart, whole] = [formatTarget(target), sent(path), `http://${authority}${sent(path)}`];
  const toProxy = (user: string | undefined) => {
    const login = loginOf(user, lines);
    return secure
      ? { line: `CONNECT ${place}`, bytes: headOf(`CONNECT ${place}`, [`Host: ${place}`, ...login]) }
      : { line: `${method} ${whole}`, bytes: headOf(`${method} ${whole}`, [...lines, ...login]) };
  };
  return { target, request: { secure, bytes: headOf(`${method} ${inPart}`, lines), toProxy } };
}

const headOf = (line: string, fields: readonly string[]): Uint8Array =>
  new TextEncoder().encode([`${line} HTTP/1.1`, ...fields, "", ""].join("\r\n"));

/** Of whom the command line says that it has logged in; any password will do. */
function loginOf(user: string | undefined, fields: readonly string[]): string[] {
  if (user === undefined || fields.some((line) => /^proxy-authorization:/i.test(line))) return [];
  return [`Proxy-Authorization: Basic ${Buffer.from(`${user}:-`).toString("base64")}`];
}

/** As a client sends what was typed. */
function sent(text: string): string {
  return text.toWellFormed().replace(NOT_VISIBLE, encodeURIComponent);
}
