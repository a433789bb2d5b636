/** Names as they can be told in a field of HTTP, so that whoever reads them reads the same name. */

const LONGEST = 1024;
const encoder = new TextEncoder();

/**
 * Whether a name comes through as it is: no control characters, no space around it that a reader would take off, no half
 * of a character; at most 1 KiB. Beyond ASCII it is UTF-8.
 */
export function isFieldText(text: string): boolean {
  return text !== "" && text === text.trim() && !/\p{Cc}/u.test(text) && text.isWellFormed() &&
    encoder.encode(text).length <= LONGEST;
}
