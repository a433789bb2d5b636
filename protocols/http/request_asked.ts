/** A request as routes ask for it: what they want to know is read from its head when they do. */
import type { Target } from "../../gate/address.ts";
import type { Requested } from "../../gate/requests.ts";
import { queryParameter } from "../../gate/request_query.ts";
import type { Exchange } from "./exchange.ts";
import { isForwardingClaim, isIdentityClaim } from "./field_kinds.ts";
import { valueOf } from "./field_values.ts";
import { REQUEST } from "./forward.ts";
import { textOf } from "./interned.ts";
import { octets } from "./octets.ts";

const QUESTION = 0x3f;
const NOTHING = new Uint8Array();

/** One per connection, of the request that `REQUEST` has. */
export class RequestAsked implements Requested {
  target: Target | undefined;
  path = "";
  method = "";
  source: string | undefined;
  #bytes = NOTHING as Uint8Array;
  #query: string | undefined;

  of({ target, path, method, client }: Exchange, bytes: Uint8Array): this {
    this.target = target;
    this.path = path;
    this.method = method;
    this.source = client;
    this.#bytes = bytes;
    this.#query = undefined;
    return this;
  }

  /** The request is over, and its octets need not stay. */
  forget(): void {
    this.path = "";
    this.#bytes = NOTHING;
    this.#query = undefined;
  }

  /** Claims of who the client is, and where it came from unless a trusted proxy says so, are not there. */
  header(name: string): string | undefined {
    const bytes = this.#bytes, lower = nameOctets(name);
    let value: string | undefined;
    for (let line = REQUEST.findName(bytes, lower); line >= 0;) {
      const kind = REQUEST.kinds[line];
      if (!isIdentityClaim(kind) && (this.source !== undefined || !isForwardingClaim(kind))) {
        const text = valueOf(REQUEST, bytes, line);
        value = value === undefined ? text : `${value}, ${text}`;
      }
      line = REQUEST.findName(bytes, lower, line + 1);
    }
    return value;
  }

  query(name: string): string | undefined {
    this.#query ??= queryOf(this.#bytes);
    return queryParameter(this.#query, name);
  }
}

function queryOf(bytes: Uint8Array): string {
  const { pathStart, targetEnd } = REQUEST;
  let at = pathStart;
  while (at < targetEnd && bytes[at] !== QUESTION) at++;
  return textOf(bytes, Math.min(at + 1, targetEnd), targetEnd);
}

/** Of the names that configurations have had: as many as these. */
const names = new Map<string, Uint8Array>();

function nameOctets(name: string): Uint8Array {
  let lower = names.get(name);
  if (!lower) names.set(name, lower = octets(name));
  return lower;
}
