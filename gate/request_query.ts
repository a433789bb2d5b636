/** The parameters of a query as routes ask for them: form-urlencoded, as every framework reads them. */
import { Buffer } from "node:buffer";

const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const EQUALS = 0x3d, PLUS = 0x2b, PERCENT = 0x25, SPACE = 0x20;

/**
 * The first value of the parameter of this name; without `=` it is empty; undefined: there is none. `query` is without
 * its `?`. An octet is a character each, as asOctets makes them of a text; a broken escape stands for itself (WHATWG URL
 * 5.1). Nothing is made of the parameters that were not asked for, however many there are.
 */
export function queryParameter(query: string, name: string): string | undefined {
  for (let at = 0, end; at < query.length; at = end + 1) {
    end = query.indexOf("&", at);
    if (end < 0) end = query.length;
    const value = end > at ? valueAt(query, at, end, name) : -1;
    if (value >= 0) return decoded(query.slice(value, end));
  }
  return undefined;
}

/** Where the value of this parameter begins; -1: it has another name. */
function valueAt(query: string, start: number, end: number, name: string): number {
  let at = start;
  for (let matched = 0;; matched++) {
    const code = at < end ? query.charCodeAt(at) : EQUALS;
    if (code === EQUALS) return matched === name.length ? Math.min(at + 1, end) : -1;
    const escape = code === PERCENT ? /^%[0-9A-Fa-f]{2}/.exec(query.slice(at, Math.min(at + 3, end))) : null;
    const meant = escape ? parseInt(escape[0].slice(1), 16) : code === PLUS ? SPACE : code;
    if (meant !== name.charCodeAt(matched)) return -1;
    at += escape ? 3 : 1;
  }
}

/** A text as its octets of UTF-8, a character each: as heads are read. */
export function asOctets(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function decoded(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  return spaced.replace(ESCAPE, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
}
