/** The values of fields, each as it came. */
import { latin1, textOf } from "./interned.ts";
import type { MessageHead } from "./message_head.ts";

/** The value of this line, for values that come again and again. */
export const valueOf = (head: MessageHead, bytes: Uint8Array, line: number): string =>
  textOf(bytes, head.valueStart(line), head.valueEnd(line));

/** The values of the fields of this kind. Not by way of the texts that are remembered: they may be secrets. */
export function valuesOf(head: MessageHead, bytes: Uint8Array, kind: number): string[] {
  const values: string[] = [];
  for (let line = head.find(kind); line >= 0; line = head.find(kind, line + 1)) {
    values.push(latin1(bytes, head.valueStart(line), head.valueEnd(line)));
  }
  return values;
}
