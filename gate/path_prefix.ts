/** The prefix that a route's path is, in the paths that match it: found in every spelling, and replaced. */
import { isUnreserved, UNSAFE } from "./path_spelling.ts";

/** What is spelled for one character of a path in normal form, or for one escape in it. */
const SPELLED = /%[0-9A-Fa-f]{2}|\/+|[^]/g;

/** Characters of an escape. */
const ESCAPE = 3;

/**
 * `by` in place of the prefix that the path matches, or of the whole path where there is none. What is behind the prefix
 * stays as it came; a slash at the end of `by` is the one that begins it.
 */
export function replacePath(path: string, prefix: string | undefined, by: string): string {
  if (prefix === undefined) return by;
  const rest = path.slice(prefixEnd(path, prefix)), start = by.endsWith("/") ? by.slice(0, -1) : by;
  return start === "" ? rest.replace(/^\/*/, "/") : start + rest;
}

/** Where a prefix in normal form ends in a path that matches it; behind it is a slash, or nothing. */
export function prefixEnd(path: string, prefix: string): number {
  if (prefix === "/") return 0;
  let end = 0, matched = 0;
  for (const [spelled] of path.matchAll(SPELLED)) {
    if (matched >= prefix.length) break;
    end += spelled.length;
    matched += UNSAFE.test(spelled) || spelled.startsWith("%") && !isUnreserved(spelled) ? ESCAPE : 1;
  }
  return end;
}
