/** Requests that are sent elsewhere. */
import { GateError, telling } from "../../gate/errors.ts";
import type { Redirect } from "../../gate/filters.ts";
import { replacePath } from "../../gate/path_prefix.ts";
import { encoding } from "../../gate/path_spelling.ts";
import { askedScheme } from "./asked_scheme.ts";
import type { OwnAnswer } from "./own_answer.ts";
import { queryOf } from "./rewrite.ts";
import type { Incoming } from "./rules.ts";

const DEFAULT_PORT = { http: 80, https: 443 };
const NOTHING = new Uint8Array(0);
/** What may come in a target and is no part of a URI; clients make a slash of a backslash. */
const encoded = encoding(/["<>\\^`{|}]/);

export const redirecting =
  (redirect: Redirect, prefix: string | undefined) => (request: Incoming): OwnAnswer => {
    return {
      status: redirect.status,
      fields: [`Location: ${locationOf(redirect, prefix, request)}`],
      body: NOTHING,
    };
  };

/**
 * A path alone where nothing else changes, so that it holds whatever a proxy in front of this gate has made of scheme
 * and host; it is the configuration's, and begins with one slash. Else a whole URI: a path that begins with two stands
 * behind an authority.
 */
function locationOf(redirect: Redirect, prefix: string | undefined, request: Incoming): string {
  const { scheme, host, port, path: by } = redirect, { path } = request.exchange;
  const way = by === undefined ? path : replacePath(path, prefix, by);
  const to = encoded(`${way === "*" ? "/" : way}${queryOf(request)}`);
  if (scheme === undefined && host === undefined && port === undefined) return to;
  return originOf(redirect, request) + to;
}

/** The port is left out where it is the scheme's own; another scheme has another one. */
function originOf(redirect: Redirect, request: Incoming): string {
  const { exchange } = request;
  const [, name, digits] = /^(\[.*\]|[^:]*):?([0-9]*)$/.exec(exchange.host)!;
  const { host = name } = redirect, asked = askedScheme(request), { scheme = asked } = redirect;
  if (host === "") {
    const state = "it names no host";
    throw telling(state, new GateError("malformed", "client", `Cannot redirect a request: ${state}`));
  }
  const stays = scheme === asked && digits !== "" ? Number(digits) : DEFAULT_PORT[scheme];
  const { port = stays } = redirect;
  return `${scheme}://${host}${port === DEFAULT_PORT[scheme] ? "" : `:${port}`}`;
}
