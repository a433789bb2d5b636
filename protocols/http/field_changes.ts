/** Fields that a route sets, adds and removes: in heads on their way, and in answers of the gate itself. */
import type { FieldChanges } from "../../gate/filters.ts";
import { dropFolded } from "./drop_lines.ts";
import { type Edits, fieldLine } from "./edits.ts";
import type { MessageHead } from "./message_head.ts";
import { octets } from "./octets.ts";
import type { OwnAnswer } from "./own_answer.ts";

export function changingFields(changes: FieldChanges) {
  const gone = goneOf(changes);
  const lines = fieldsOf(changes).map(([name, value]) => fieldLine(name, value));
  return (edits: Edits, head: MessageHead, bytes: Uint8Array): void => {
    for (const name of gone) dropFolded(head, bytes, name);
    for (const line of lines) edits.add(line);
  };
}

/** The same of an answer. */
export function changingAnswer(changes: FieldChanges) {
  const gone = new Set(namesGone(changes)), lines = linesOf(fieldsOf(changes));
  return (answer: OwnAnswer): OwnAnswer => {
    const kept = answer.fields.filter((line) => !gone.has(line.slice(0, line.indexOf(":")).toLowerCase()));
    return { ...answer, fields: [...kept, ...lines] };
  };
}

/**
 * Names of fields that do not go on, in heads and in trailers, as isFolded has them: an application that cannot tell
 * `X_Own` from `X-Own`, or puts trailers with the head, would take another's word for the route's.
 */
export const goneOf = (changes: FieldChanges): Uint8Array[] =>
  namesGone(changes).map((name) => octets(name.replaceAll("_", "-")));

/** Whole lines of a head, without CRLF. */
export const linesOf = (fields: readonly (readonly [name: string, value: string])[]): string[] =>
  fields.map(([name, value]) => `${name}: ${value}`);

/** In lower case. */
const namesGone = ({ set = {}, remove = [] }: FieldChanges): string[] =>
  [...remove, ...Object.keys(set)].map((name) => name.toLowerCase());

const fieldsOf = ({ set = {}, add = {} }: FieldChanges) => [...Object.entries(set), ...Object.entries(add)];
