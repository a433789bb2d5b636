/** The field lines of a head or of a trailer section (RFC 9112 5), and the empty line behind them. */
import { FAULTS, MOST_FIELDS } from "./faults.ts";
import { kindOf } from "./field_kinds.ts";
import { type MessageHead, MORE } from "./message_head.ts";
import { COLON, CR, endOf, HTAB, IN_TOKEN, IN_VALUE, LF, SP, trimmedEnd } from "./octets.ts";
import { lineEnd } from "./start_line.ts";

/** Fills in the lines; where the empty line is over. */
export function readFieldLines(head: MessageHead, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  for (let count = 0;; count++) {
    if (at === to) return MORE;
    const name = at;
    at = endOf(IN_TOKEN, bytes, at, to);
    if (at === to) return MORE;
    if (bytes[at] !== COLON || at === name) {
      if (at > name || bytes[at] !== CR) return head.refuse(nameFault(bytes[at], at === name));
      head.endLines(count, at);
      findKinds(head, bytes);
      return lineEnd(head, bytes, at, to);
    }
    if (count === MOST_FIELDS) return head.refuse(FAULTS.manyFields);
    const colon = at++;
    while (at < to && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    const value = at;
    const end = at = endOf(IN_VALUE, bytes, at, to);
    if (at + 1 >= to || bytes[at] !== CR || bytes[at + 1] !== LF) return lineEnd(head, bytes, at, to);
    at += 2;
    head.setLine(count, name, colon, value, trimmedEnd(bytes, value, end));
  }
}

/** Of lines that are all well-formed: who is refused has cost no comparison. */
function findKinds(head: MessageHead, bytes: Uint8Array): void {
  const { count } = head;
  for (let line = 0; line < count; line++) {
    head.markKind(line, kindOf(bytes, head.nameStart(line), head.nameEnd(line)));
  }
}

/** Why no name ends with this octet. */
function nameFault(octet: number, empty: boolean) {
  if (octet === LF) return FAULTS.bareLineFeed;
  if (!empty) return FAULTS.noColon;
  if (octet === COLON) return FAULTS.noName;
  return octet === SP || octet === HTAB ? FAULTS.folded : FAULTS.noColon;
}
