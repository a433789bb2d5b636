/** How the characters of a path are spelled: some never as an escape, some always, and some either way (RFC 3986). */

const ESCAPED = /%([0-9A-Fa-f]{2})/g;
/** RFC 3986 2.3. */
const UNRESERVED = /^[A-Za-z0-9._~-]$/;
/** Visible characters that no path has by RFC 3986 3.3: clients escape most of them, and some of them do not. */
export const UNSAFE = /["<>[\]^`{|}]/;
const ALL_UNSAFE = new RegExp(UNSAFE, "g");
/**
 * Escapes of characters that mean nothing in a path but themselves. RFC 3986 tells them from the character, and most
 * servers do not: they decode a path before they look at it.
 */
const NEEDLESS = /%(?:2[146-9A-C]|3[AD]|40)/g;

/** Unreserved characters decoded, unsafe ones encoded, and escapes in upper case (RFC 3986 6.2.2). */
export const normalSpelling = (path: string): string =>
  path.replace(ESCAPED, (escape) => isUnreserved(escape) ? decoded(escape) : escape.toUpperCase())
    .replace(ALL_UNSAFE, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** Of a path in normal spelling: what some servers make of it before they look at it. */
export const withoutNeedless = (path: string): string => path.replace(NEEDLESS, decoded);

/** As a path is to be written that others are compared with: what has to be escaped is, and nothing else. */
export const wellWritten = (path: string): string => withoutNeedless(normalSpelling(path));

/** Whether it is the escape of a character that is decoded in a normal path. */
export const isUnreserved = (escape: string): boolean => UNRESERVED.test(decoded(escape));

const decoded = (escape: string): string => String.fromCharCode(parseInt(escape.slice(1), 16));
