/** Paths of requests as routes compare them, so that no spelling of one slips past the route that is meant for it. */
import type { PathMatch } from "./snapshot.ts";

/** What every spelling of a plain path lacks. */
const STRANGE = /[%;\\]|\/[/.]/;
const ESCAPE = /%([0-9A-Fa-f]{2})/g;
/** RFC 3986 2.3. */
const UNRESERVED = /[A-Za-z0-9._~-]/;
/** An encoded slash, backslash or NUL, and an escape that is none. */
const DOUBTFUL = /%(?:2[Ff]|5[Cc]|00|(?![0-9A-Fa-f]{2}))|\\/;

/**
 * The path with unreserved characters decoded, other escapes in upper case, and slashes merged (RFC 3986 6.2.2).
 * undefined: servers differ in where it leads (dot segments, also with parameters; slashes, backslashes or NUL in an
 * escape).
 */
export function normalPath(path: string): string | undefined {
  if (!STRANGE.test(path)) return path;
  if (DOUBTFUL.test(path)) return undefined;
  const decoded = path.replace(ESCAPE, (escape, digits) => {
    const sign = String.fromCharCode(parseInt(digits, 16));
    return UNRESERVED.test(sign) ? sign : escape.toUpperCase();
  }).replace(/\/{2,}/g, "/");
  return decoded.split("/").some(isDots) ? undefined : decoded;
}

/** `.` and `..`, and what they are to servers that take parameters off a segment. */
const isDots = (segment: string): boolean => /^\.\.?(?:;|$)/.test(segment);

/** Whether a normal path is one that the route is for. */
export function pathMatches(match: PathMatch, path: string): boolean {
  if ("exact" in match) return path === match.exact;
  const { prefix } = match;
  if (prefix === "/") return path.startsWith("/");
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
}
