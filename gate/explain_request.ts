/** A request that `ugate explain` is asked about: what a client would send that was given this URL, and these options. */
import { parseTarget } from "./address.ts";
import type { Requested, Target } from "./contracts.ts";
import { asOctets, queryParameters } from "./request_query.ts";

const URL_FORM = /^(https?):\/\/([^/?#@\s]+)(\/[^?#]*)?(?:\?([^#]*))?(?:#.*)?$/i;
const DEFAULT_PORT = { http: 80, https: 443 };
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What no request says as itself. */
const NOT_VISIBLE = /[^\x21-\x7e]/gu;
/** Claims that no route hears of, for they do not go on. */
const CLAIM = /^(?:forwarded|x-forwarded-.*|x-real-ip|remote-user|client-cert.*)$/;

/** Its path is as it was written: nothing is resolved in it, as browsers would. */
export class SupposedRequest implements Requested {
  readonly #fields: readonly (readonly [name: string, value: string])[];
  readonly #query: string;

  constructor(
    readonly secure: boolean,
    readonly method: string,
    readonly target: Target,
    readonly path: string,
    given: { readonly query: string; readonly fields: readonly (readonly [name: string, value: string])[] },
  ) {
    this.#query = given.query;
    this.#fields = given.fields;
  }

  header(name: string): string | undefined {
    if (CLAIM.test(name.replaceAll("_", "-"))) return undefined;
    const values = this.#fields.filter((field) => field[0] === name).map((field) => field[1]);
    return values.length > 0 ? values.join(", ") : undefined;
  }

  query(name: string): string | undefined {
    return queryParameters(this.#query).get(name);
  }
}

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

/** The server and the request; or what is wrong with a word of the command line. */
export function parseRequest(
  url: string,
  { header = [], method = "GET" }: { readonly header?: readonly string[]; readonly method?: string },
): { readonly target: Target; readonly request: SupposedRequest } | string {
  const [, scheme, authority, path = "/", query = ""] = URL_FORM.exec(url) ?? [];
  const kind = scheme?.toLowerCase() as keyof typeof DEFAULT_PORT | undefined;
  const target = kind && parseAuthority(authority, kind);
  if (!target) {
    return `Cannot read TARGET: expected a URL such as https://host/path, got ${JSON.stringify(url)}`;
  }
  if (!TOKEN.test(method) || method === "CONNECT") {
    return `Cannot read -X: expected a method such as GET, got ${JSON.stringify(method)}`;
  }
  const fields: [string, string][] = [];
  for (const line of header) {
    const [, name = "", value = ""] = /^([^:]*):\s*(.*?)\s*$/.exec(line) ?? [];
    if (!TOKEN.test(name)) return `Cannot read -H: expected "name: value", got ${JSON.stringify(line)}`;
    fields.push([name.toLowerCase(), asOctets(value)]);
  }
  const host = fields.find(([name]) => name === "host")?.[1];
  const asked = host === undefined ? target : parseAuthority(host, kind);
  if (!asked) return `Cannot read -H: expected a host behind Host, got ${JSON.stringify(host)}`;
  const given = { query: sent(query), fields };
  return { target, request: new SupposedRequest(kind === "https", method, asked, sent(path), given) };
}

function parseAuthority(text: string, kind: keyof typeof DEFAULT_PORT): Target | undefined {
  return parseTarget(text) ?? parseTarget(`${text.replace(/:$/, "")}:${DEFAULT_PORT[kind]}`);
}

/** As a client sends what was typed. */
function sent(text: string): string {
  return text.replace(NOT_VISIBLE, (sign) => encodeURIComponent(sign.isWellFormed() ? sign : "\ufffd"));
}
