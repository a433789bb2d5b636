/** A request that `ugate explain` is asked about: what a client would send that was given this URL, and these options. */
import { parseTarget } from "./address.ts";
import type { Target } from "./contracts.ts";

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
  const head = [`${method} ${sent(path)} HTTP/1.1`, ...lines, "", ""].join("\r\n");
  return { target, request: { secure, bytes: new TextEncoder().encode(head) } };
}

/** As a client sends what was typed. */
function sent(text: string): string {
  return text.toWellFormed().replace(NOT_VISIBLE, encodeURIComponent);
}
