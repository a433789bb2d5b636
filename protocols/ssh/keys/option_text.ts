/** The options in front of a key (sshd(8), AUTHORIZED_KEYS FILE FORMAT): names, and values in double quotes. */
import { Refusal } from "./fields.ts";

export interface WrittenOption {
  readonly name: string;
  readonly value?: string;
  /** Where it begins in the line. */
  readonly at: number;
}

const NAME = /[A-Za-z0-9-]+/y;
const BLANK = " \t";

/** A mistake, and where in the line it is. */
export class MistakeAt extends Refusal {
  constructor(readonly at: number, why: string) {
    super(why);
  }
}

/** Where the options that begin at `from` end: at a blank that is not in quotes, or at the line's end. */
export function endOfOptions(line: string, from: number): number {
  let quoted = false, at = from;
  for (; at < line.length && (quoted || !BLANK.includes(line[at])); at++) {
    if (line.startsWith('\\"', at)) at++;
    else if (line[at] === '"') quoted = !quoted;
  }
  if (quoted) throw new MistakeAt(from, "a quote that is not closed");
  return at;
}

/** Options with commas between; a quote in a value stands behind a backslash. Throws MistakeAt. */
export function readOptions(line: string, from: number, to: number): WrittenOption[] {
  const options: WrittenOption[] = [];
  for (let at = from;;) {
    NAME.lastIndex = at;
    const name = NAME.exec(line.slice(0, to))?.[0];
    if (name === undefined) throw new MistakeAt(at, "expected an option");
    const start = at;
    at += name.length;
    if (line[at] === "=" && at < to) {
      const value = readQuoted(line, at + 1, to);
      at = value.end;
      options.push({ name: name.toLowerCase(), value: value.text, at: start });
    } else options.push({ name: name.toLowerCase(), at: start });
    if (at === to) return options;
    if (line[at++] !== ",") throw new MistakeAt(at - 1, "expected a comma between two options");
  }
}

function readQuoted(line: string, from: number, to: number): { readonly text: string; readonly end: number } {
  if (line[from] !== '"' || from >= to) throw new MistakeAt(from, "expected a value in double quotes");
  let text = "", at = from + 1;
  for (; at < to && line[at] !== '"'; at++) {
    if (line.startsWith('\\"', at)) at++;
    text += line[at];
  }
  if (at >= to) throw new MistakeAt(from, "a quote that is not closed");
  return { text, end: at + 1 };
}
