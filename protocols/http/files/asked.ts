/** A request for a file, as it is known when its octets are gone. */
import { valueOf } from "../field_values.ts";
import type { MessageHead } from "../message_head.ts";
import { octets } from "../octets.ts";
import { textOf } from "../interned.ts";
import type { Conditions } from "./preconditions.ts";

export interface Asked extends Conditions {
  readonly isHead: boolean;
  /** As it came, without the query. */
  readonly path: string;
  /** With its question mark; empty where there is none. */
  readonly query: string;
  readonly range?: string;
}

const NAMES = {
  ifMatch: octets("if-match"),
  ifNoneMatch: octets("if-none-match"),
  ifModifiedSince: octets("if-modified-since"),
  ifUnmodifiedSince: octets("if-unmodified-since"),
  ifRange: octets("if-range"),
  range: octets("range"),
};
const QUESTION = "?";

export function askedOf(head: MessageHead, bytes: Uint8Array): Asked {
  const target = textOf(bytes, head.pathStart, head.targetEnd), end = target.indexOf(QUESTION);
  const fields: Partial<Record<keyof typeof NAMES, string>> = {};
  for (const [key, name] of Object.entries(NAMES) as [keyof typeof NAMES, Uint8Array][]) {
    const value = listOf(head, bytes, name);
    if (value !== undefined) fields[key] = value;
  }
  return {
    ...fields,
    isHead: head.method === "HEAD",
    path: end < 0 ? target : target.slice(0, end),
    query: end < 0 ? "" : target.slice(end),
  };
}

/** Of all lines of this name, a list. */
function listOf(head: MessageHead, bytes: Uint8Array, name: Uint8Array): string | undefined {
  let value: string | undefined;
  for (let line = head.findName(bytes, name); line >= 0; line = head.findName(bytes, name, line + 1)) {
    const one = valueOf(head, bytes, line);
    value = value === undefined ? one : `${value}, ${one}`;
  }
  return value;
}
