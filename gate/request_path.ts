/** Paths of requests as routes compare them, so that no spelling of one slips past the route that is meant for it. */
import { normalSpelling, withoutNeedless } from "./path_spelling.ts";
import { Regex } from "./regex.ts";
import type { PathMatch } from "./snapshot.ts";

/** What every spelling of a plain path lacks. */
const STRANGE = /[%;\\"<>[\]^`{|}]|\/[/.]/;
/** An encoded backslash or NUL, also as overlong UTF-8 (RFC 3629 3), and an escape that is none. */
const DOUBTFUL = /%(?:5C|00|C[01]%[89AB]|E0%[89]|F[08C]%8|(?![0-9A-F]{2}))|\\/i;
/** Segments `.` and `..`, and what they are to servers that take parameters off a segment. */
const DOTS = /(?:^|\/)\.\.?(?:[/;]|%3B|$)/;
const ENCODED_SLASH = "%2F";
/** What some servers take off a segment before they look at it; others take it for a part of its name. */
const PARAMETERS = /(?:;|%3B)[^/]*/g;

/** A path in normal form as two kinds of routes see it: those that keep an encoded slash as it is, and all others. */
export interface Reading {
  readonly kept: string;
  readonly decoded: string;
}

/** How the servers behind a gate may read one path. */
export interface Readings {
  /** In normal form: what the path says by RFC 3986. */
  readonly normal: string;
  readonly encodedSlash: boolean;
  /** More than one: it depends on the server where it leads. The first is `normal` for all routes. */
  readonly all: readonly Reading[];
}

/** Whether it has one spelling and one reading, which is itself. */
export const isPlainPath = (path: string): boolean => !STRANGE.test(path);

/**
 * The normal form is normalSpelling with slashes merged.
 * undefined: nobody can tell where it leads (dot segments, also with parameters and beside encoded slashes;
 * backslashes, NUL, overlong UTF-8, broken escapes).
 */
export function readingsOf(path: string): Readings | undefined {
  if (DOUBTFUL.test(path)) return undefined;
  const normal = merged(normalSpelling(path));
  const encodedSlash = normal.includes(ENCODED_SLASH);
  const decoded = encodedSlash ? merged(normal.replaceAll(ENCODED_SLASH, "/")) : normal;
  if (DOTS.test(decoded)) return undefined;
  const all = [{ kept: normal, decoded: normal }];
  if (encodedSlash) all.push({ kept: normal, decoded });
  const kept = withoutParameters(normal);
  if (kept !== normal) {
    all.push({ kept, decoded: kept });
    if (encodedSlash) all.push({ kept, decoded: withoutParameters(decoded) });
  }
  if (withoutNeedless(normal) !== normal) {
    all.push(...all.map(({ kept, decoded }) => (
      { kept: withoutNeedless(kept), decoded: withoutNeedless(decoded) }
    )));
  }
  return { normal, encodedSlash, all };
}

/** Whether a normal path is one that the route is for. `*` is a server, and no path. */
export function pathMatches(match: PathMatch, path: string): boolean {
  if ("exact" in match) return path === match.exact;
  if ("regex" in match) return path.startsWith("/") && regexOf(match).test(path);
  const { prefix } = match;
  if (prefix === "/") return path.startsWith("/");
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
}

const made = new WeakMap<PathMatch, Regex>();

/** The same one as long as its route is there. */
export function regexOf(match: { readonly regex: string }): Regex {
  let regex = made.get(match);
  if (!regex) made.set(match, regex = new Regex(match.regex));
  return regex;
}

const merged = (path: string): string => path.replace(/\/{2,}/g, "/");
const withoutParameters = (path: string): string => merged(path.replace(PARAMETERS, ""));
