/** Requests that go to their upstream under another host or path. */
import type { Rewrite } from "../../gate/filters.ts";
import { replacePath } from "../../gate/path_prefix.ts";
import type { Edits } from "./edits.ts";
import { latin1 } from "./interned.ts";
import { octets } from "./octets.ts";
import type { Incoming } from "./rules.ts";

const QUESTION = 0x3f;

export function rewriting({ host, path }: Rewrite, prefix: string | undefined) {
  const authority = host === undefined ? undefined : octets(host);
  return (edits: Edits, request: Incoming): void => {
    edits.host = authority;
    const { exchange } = request;
    if (path === undefined || exchange.path === "*") return; // which is no path, but the whole server
    edits.target = octets(replacePath(exchange.path, prefix, path) + queryOf(request));
  };
}

/** With its question mark; empty where there is none. */
export function queryOf({ head, bytes }: Incoming): string {
  const { pathStart, targetEnd } = head, at = bytes.subarray(pathStart, targetEnd).indexOf(QUESTION);
  return at < 0 ? "" : latin1(bytes, pathStart + at, targetEnd);
}
