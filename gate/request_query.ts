/** The parameters of a query as routes ask for them: form-urlencoded, as every framework reads them. */
import { Buffer } from "node:buffer";

const ESCAPE = /%([0-9A-Fa-f]{2})/g;

/**
 * By name, the first value of each; a parameter without `=` has an empty one. `query` is without its `?`. An octet is a
 * character each, as asOctets makes them of a text; a broken escape stands for itself (WHATWG URL 5.1).
 */
export function queryParameters(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("="), end = equals < 0 ? pair.length : equals;
    const name = decoded(pair.slice(0, end));
    if (!parameters.has(name)) parameters.set(name, decoded(pair.slice(end + 1)));
  }
  return parameters;
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
