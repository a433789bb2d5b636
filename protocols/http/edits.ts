/** What is changed in a head on its way through: made once per thread, begun anew for each head. */
import { GateError } from "../../gate/errors.ts";
import { dropHopByHop, dropKind, dropName } from "./drop_lines.ts";
import { KIND } from "./field_kinds.ts";
import { type Body, type MessageHead, OPTION } from "./message_head.ts";
import { octets } from "./octets.ts";

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** No control characters, no whitespace around it. Above ASCII it is UTF-8. */
// deno-lint-ignore no-control-regex
const VALUE = /^(?![\t ])[^\x00-\x08\x0a-\x1f\x7f]*(?<![\t ])$/;

export class Edits {
  /** The target in place of the request's own. */
  target: Uint8Array | undefined;
  /** The value of Host in place of the request's own. */
  host: Uint8Array | undefined;
  /** How the content goes on, which the head has to say. */
  body: Body = "none";
  /** OPTION bits that the outgoing Connection says. */
  options = 0;
  /** Whole lines, as fieldLine makes them; the first `count` hold. Emptying the array would throw its memory away. */
  readonly added: Uint8Array[] = [];
  count = 0;

  /** Forgets the last head's edits and marks what ends at this hop. `upgrade`: an Upgrade goes on. */
  begin(head: MessageHead, bytes: Uint8Array, upgrade: boolean): void {
    this.target = this.host = undefined;
    this.body = head.body;
    this.count = 0;
    dropHopByHop(head, bytes, upgrade);
    this.options = upgrade && head.upgrade ? OPTION.upgrade : 0;
    if (head.trailers && head.status === 0) this.options |= OPTION.te;
  }

  add(line: Uint8Array): void {
    this.added[this.count++] = line;
  }

  /** In place of every line of this name, in lower case. */
  set(head: MessageHead, bytes: Uint8Array, name: Uint8Array, line: Uint8Array): void {
    dropName(head, bytes, name);
    this.add(line);
  }

  /** The same of a KIND. */
  setKind(head: MessageHead, kind: number, line: Uint8Array): void {
    dropKind(head, kind);
    this.add(line);
  }

  /** Chunks and the connection's end say themselves how long the content is. */
  dropUntrueLength(head: MessageHead): void {
    if (this.body === "chunked" || this.body === "close") dropKind(head, KIND.contentLength);
  }
}

/**
 * One line of a head, its CRLF included.
 * @throws GateError `internal` where the name is no token, or the value has control characters or whitespace around it
 */
export function fieldLine(name: string, value: string): Uint8Array {
  if (!NAME.test(name) || !VALUE.test(value)) {
    const place = JSON.stringify(name);
    throw new GateError(
      "internal",
      "gate",
      `Cannot write the field ${place}: no valid name or value`,
    );
  }
  return octets(`${name}: ${value}\r\n`);
}
